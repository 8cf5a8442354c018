"""A Prometheus that scrapes what a test started, and the programs that come with it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.servers.loopback import call, status_of
from tests.servers.processes import Server, ServerMissingError, free_ports

ADDRESS = "RECADO_TEST_PROMETHEUS"
"""A folder of programs, and not a server's address: a server asks whom its own file names."""
PROGRAMS = ("prometheus", "promtool")

Sample = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """A running server, known by its URL."""

    url: str

    def query(self, expression: str) -> list[Sample]:
        """What the expression gives now: a sample a series."""
        answer = call("GET", f"{self.url}/api/v1/query?{urlencode({'query': expression})}")
        return answer["data"]["result"]

    def alerts(self) -> dict[str, str]:
        """The names of the alerts that are active, and their states."""
        found = call("GET", f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in found}

    def health_of_rules(self) -> set[str]:
        """`ok` alone where every rule could be evaluated."""
        groups = call("GET", f"{self.url}/api/v1/rules")["data"]["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}


@contextmanager
def prometheus(pages: Sequence[str], *, rules: Sequence[Path] = ()) -> Generator[Prometheus]:
    """Scrape `/metrics` of these `host:port` every second, for as long as this lasts."""
    program, (port,) = find_prometheus() / "prometheus", free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory(prefix="recado-prometheus-") as folder:
        settings = Path(folder) / "prometheus.yaml"
        settings.write_text(yaml.safe_dump(_settings(pages, rules)))
        server = Server(
            [
                *(str(program), f"--config.file={settings}"),
                *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"),
            ],
            log=Path(folder) / "prometheus.log",
        )
        try:
            server.wait_until(lambda: status_of(f"{url}/-/ready") == 200, seconds=30)
            yield Prometheus(url)
        finally:
            server.end(signal.SIGTERM)


def promtool(*arguments: str, words: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool to its end, on `words` as its input."""
    return subprocess.run(
        [str(find_prometheus() / "promtool"), *arguments],
        input=words,
        capture_output=True,
        text=True,
        check=False,
    )


def find_prometheus() -> Path:
    """The folder of both programs: the one that the environment names, else on PATH."""
    path = os.environ.get(ADDRESS)
    found = [shutil.which(name, path=path) for name in PROGRAMS]
    if found[0] is None or None in found:
        raise ServerMissingError(
            "Prometheus is not installed: run `.venv/bin/python -m tests.servers install`, "
            f"or set {ADDRESS} to the folder of {' and '.join(PROGRAMS)}"
        )
    return Path(found[0]).parent


def _settings(pages: Sequence[str], rules: Sequence[Path]) -> dict[str, Any]:
    often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    jobs = [{"job_name": "recado", "static_configs": [{"targets": list(pages)}]}]
    return {"global": often, "rule_files": [str(path) for path in rules], "scrape_configs": jobs}
