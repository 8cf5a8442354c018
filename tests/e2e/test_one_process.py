"""`recado dev`: everything in one process on SQLite, as a person starts it with `make run`."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.loopback import call, status_of
from tests.servers.processes import Server

pytestmark = pytest.mark.timeout(120)

Start = Callable[[], "Running"]


class Running:
    """A started `recado dev` that is ready, and what it wrote of itself."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = data.with_suffix(".log")
        self._file = data / "dev.json"
        self.server = Server([*RECADO, "dev", "--port", "0", "--data", str(data)], log=self.log)
        self.server.wait_until(self._file.exists, seconds=60)
        self.facts: dict[str, str] = json.loads(self._file.read_text())

    def recado(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return recado(*arguments, "--data", str(self.data))


RECADO = (sys.executable, "-m", "recado")


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

        def started() -> Running:
            running = Running(tmp_path / "var")
            stack.callback(running.server.end, signal.SIGKILL)
            return running

        yield started


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


def test_ctrl_c_drains_and_a_second_start_goes_on(start: Start) -> None:
    first = start()
    first.recado("say", "Aceitam Pix?")
    first.server.end(signal.SIGINT)
    assert first.server.exit_code == 0
    assert not (first.data / "dev.json").exists()

    second = start()
    second.recado("say", "Obrigada!")

    inbound = call("GET", second.facts["simulator_url"] + "/simulator/ledger")["inbound"]
    assert [one["text"] for one in inbound] == ["Aceitam Pix?", "Obrigada!"]
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
