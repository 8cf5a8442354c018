"""`recado dev`: everything in one process on SQLite, as a person starts it with `make run`."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from common.testing import eventually
from processor.conversation.rules import REPLIED
from tests.e2e.makefile import make_would_run
from tests.faults.judge import judge
from tests.faults.rows import sqlite_rows
from tests.faults.work import sqlite_work
from tests.faults.world import QUICK
from tests.servers.loopback import call, status_of
from tests.servers.processes import Server, free_ports

pytestmark = pytest.mark.timeout(120)

RECADO = (sys.executable, "-m", "recado")
NOTHING: Mapping[str, str] = {}

CONTACT = "whatsapp:+5511999990001"

Start = Callable[..., "Running"]


class Running:
    """A started `recado dev` that is ready, and what it wrote of itself."""

    def __init__(self, data: Path, port: int = 0, variables: Mapping[str, str] = NOTHING) -> None:
        self.data = data
        self.log = data.with_suffix(".log")
        self._file = data / "dev.json"
        self._file.unlink(missing_ok=True)  # who was killed left it behind
        command = [*RECADO, "dev", "--port", str(port), "--data", str(data)]
        self.server = Server(command, log=self.log, environ={**os.environ, **variables})
        self.server.wait_until(self._file.exists, seconds=60)
        self.facts: dict[str, str] = json.loads(self._file.read_text())

    def ledger(self) -> dict[str, Any]:
        return call("GET", self.facts["simulator_url"] + "/simulator/ledger")

    def recado(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return recado(*arguments, "--data", str(self.data))


def recado(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*RECADO, *arguments],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(port: int = 0, variables: Mapping[str, str] = NOTHING) -> Running:
            running = Running(tmp_path / "var", port, variables)
            stack.callback(running.server.end, signal.SIGKILL)
            return running

        yield started


def test_make_run_runs_what_these_tests_run() -> None:
    command = make_would_run("run", PORT=8123, DATA="somewhere")

    assert Path(command[0]).name == "recado"
    assert command[1:] == ["dev", "--port", "8123", "--data", "somewhere"]


def test_it_says_what_is_where_and_serves_all_of_it_on_one_port(start: Start) -> None:
    running = start()

    url = running.facts["gateway_url"]
    printed = running.log.read_text()
    assert running.facts["simulator_url"] == url
    for page in ("/phone", "/docs", "/readyz", "/metrics"):
        assert f"{url}{page}" in printed
        assert status_of(url + page) == 200
    assert running.facts["webhook_messages_url"] in printed
    assert stat.S_IMODE((running.data / "dev.json").stat().st_mode) == 0o600
    assert call("GET", f"{url}/openapi.json")["paths"]


def test_say_prints_the_reply(start: Start) -> None:
    running = start()

    plain = running.recado("say", "Vocês abrem domingo?")
    as_json = running.recado(
        "say", "Do you deliver?", "--json", "--from", "whatsapp:+5511999990002"
    )

    assert plain.returncode == 0
    assert "7h às 13h" in plain.stdout
    assert "deliver" in json.loads(as_json.stdout)["replies"][0]


def test_it_answers_from_the_documents_and_says_when_they_hold_no_answer(start: Start) -> None:
    running = start()

    known = running.recado("say", "Tem pão sem glúten?")
    unknown = running.recado("say", "qual a capital da Mongólia?")

    assert "sem glúten" in known.stdout
    assert "não sei responder" in unknown.stdout


def accepted(ledger: dict[str, Any]) -> bool:
    return ledger["inbound"][0]["accepted"]


def asked_to_send(ledger: dict[str, Any]) -> bool:
    return bool(ledger["creates"])


@pytest.mark.parametrize("moment", [accepted, asked_to_send])
async def test_after_kill_9_a_second_start_answers_once_what_was_accepted(
    start: Start, moment: Callable[[dict[str, Any]], bool]
) -> None:
    (port,) = free_ports(1)
    first = start(port, QUICK)
    simulator = first.facts["simulator_url"] + "/simulator"
    call("PUT", f"{simulator}/faults", {"create": {"timeout_after_accept": {"next": 1}}})
    message = {"from": CONTACT, "to": first.facts["sender"], "text": "Vocês abrem domingo?"}
    call("POST", f"{simulator}/messages", message)
    await eventually(lambda: moment(first.ledger()), within=20)
    first.server.end(signal.SIGKILL)

    second = start(port, QUICK)
    await eventually(lambda: is_quiet(second), within=60)

    rows, ledger = sqlite_rows(second.data / "recado.db"), second.ledger()
    assert list(rows.outcomes.values()) == [REPLIED]
    assert [one["text"][:7] for one in ledger["creates"]] == ["Abrimos"]
    assert not judge(ledger, rows).broken


def is_quiet(running: Running) -> bool:
    """Whether nothing is left that could still happen by itself."""
    return running.ledger()["pending"] == 0 and sqlite_work(running.data).open == 0


def test_ctrl_c_drains_and_a_second_start_goes_on(start: Start) -> None:
    first = start()
    first.recado("say", "Aceitam Pix?")
    first.server.end(signal.SIGINT)
    assert first.server.exit_code == 0
    assert not (first.data / "dev.json").exists()

    second = start()
    second.recado("say", "Obrigada!")

    assert [one["text"] for one in second.ledger()["inbound"]] == ["Aceitam Pix?", "Obrigada!"]
    assert second.facts["auth_token"] == first.facts["auth_token"]


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = recado("dev", "--port", port, "--data", str(tmp_path))

    assert done.returncode == 2
    assert f"Port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_development_secrets_are_refused_elsewhere(tmp_path: Path) -> None:
    done = recado(
        "dev", "--port", "0", "--data", str(tmp_path / "var"), RECADO_ENVIRONMENT="production"
    )

    assert done.returncode == 2
    assert "RECADO_ENVIRONMENT=development" in done.stderr


def test_saying_something_to_nobody_is_a_sentence(tmp_path: Path) -> None:
    done = recado("say", "Oi", "--data", str(tmp_path))

    assert done.returncode == 2
    assert "make run" in done.stderr


def test_an_operator_adds_a_tenant_and_an_account(tmp_path: Path) -> None:
    environ = {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{tmp_path}/recado.db",
        "RECADO_SECRETS_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
        "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    }
    assert recado("migrate", **environ).returncode == 0
    tenant = recado("tenants", "add", "Oficina do Zé", **environ).stdout.strip()
    add = ("accounts", "add", tenant, "AC" + "0" * 32, "--sender", "whatsapp:+5511400000000")

    added, again = recado(*add, **environ), recado(*add, **environ)
    lost = recado("accounts", "add", "nobody", *add[3:], **environ)

    assert len(added.stdout.strip()) == 26
    assert (again.returncode, lost.returncode) == (2, 2)
    assert "already" in again.stderr
    assert "recado tenants add" in lost.stderr


def test_a_database_that_is_away_at_the_start_is_a_sentence() -> None:
    done = recado(
        "migrate",
        RECADO_ENVIRONMENT="development",
        RECADO_DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:1/none",
    )

    assert done.returncode == 2
    assert "Postgres does not answer at postgresql://nobody:***@127.0.0.1:1/none" in done.stderr
