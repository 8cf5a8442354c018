"""Importing does nothing, and costs only what the module itself needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(ROOT.glob("libs/*/src")) + sorted(ROOT.glob("services/*/src"))
HEAVY = ("pydantic_ai", "openai", "twilio", "aiokafka", "alembic")
ADAPTERS = (
    "common.broker.kafka",
    "common.database.migrations",
    "notifier.twilio_",
    "processor.assistant.model_",
)

WATCH_IMPORTS = """
import importlib, json, os, sys

ACTIONS = ("socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen")
seen = []
class Watched(dict):
    def __getitem__(self, name):
        if name.startswith("RECADO_"):
            seen.append(f"read {name}")
        return dict.__getitem__(self, name)
    def get(self, name, default=None):
        return self[name] if name in self else default
    def __contains__(self, name):
        if str(name).startswith("RECADO_"):
            seen.append(f"read {name}")
        return dict.__contains__(self, name)
os.environ = Watched(os.environ)

def hook(event, arguments):
    if event == "socket.bind" and arguments[1] == ("::1", 0):
        return  # urllib3, which Twilio's package brings along, asks the kernel for IPv6
    if event in ACTIONS:
        seen.append(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"wrote {arguments[0]}")
sys.addaudithook(hook)

report = {}
for module in json.loads(sys.argv[1]):
    del seen[:]
    importlib.import_module(module)
    heavy = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    report[module] = {"did": list(seen), "heavy": heavy}
print(json.dumps(report))
"""


def modules() -> list[str]:
    found = [path.relative_to(src) for src in SOURCES for path in src.rglob("*.py")]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in found]
    return sorted(name for name in names if ".migrations" not in name)


def imported(names: list[str]) -> dict[str, dict[str, list[str]]]:
    """Import the modules one after the other in a fresh process with an empty environment."""
    finished = subprocess.run(
        [sys.executable, "-B", "-c", WATCH_IMPORTS, json.dumps(names), json.dumps(HEAVY)],
        env={"PATH": ""},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_every_module_imports_in_a_bare_environment_and_does_nothing() -> None:
    report = imported(modules())

    assert len(report) > 50
    assert {name: one["did"] for name, one in report.items() if one["did"]} == {}


def test_only_adapters_load_what_is_heavy() -> None:
    light = [name for name in modules() if not name.startswith(ADAPTERS)]

    report = imported(light)

    first = next((name for name, one in report.items() if one["heavy"]), None)
    assert first is None, f"{first} loads {report[first]['heavy']}"


@pytest.mark.parametrize("library", HEAVY)
def test_the_watch_would_notice(library: str) -> None:
    report = imported([library])

    assert library in report[library]["heavy"]
