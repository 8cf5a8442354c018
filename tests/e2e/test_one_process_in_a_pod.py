"""`recado dev` as the trial of the chart starts it: on all addresses, behind its Service."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.processes import Server, free_ports

RECADO = (sys.executable, "-m", "recado")


@pytest.fixture
def facts(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a process on all addresses, whose Service is called localhost, wrote of itself."""
    (port,) = free_ports(1)
    data = tmp_path / "var"
    arguments = [
        *("dev", "--host", "0.0.0.0", "--port", str(port), "--data", str(data)),  # noqa: S104 - as in a pod
        *("--public-url", f"http://localhost:{port}"),
    ]
    server = Server([*RECADO, *arguments], log=tmp_path / "recado.log")
    try:
        server.wait_until((data / "dev.json").exists, seconds=60)
        yield json.loads((data / "dev.json").read_text())
    finally:
        server.end(signal.SIGKILL)


def test_webhooks_take_the_way_through_the_service(facts: dict[str, str]) -> None:
    port = facts["simulator_url"].rpartition(":")[2]

    assert facts["simulator_url"] == f"http://127.0.0.1:{port}"
    assert facts["webhook_messages_url"].startswith(f"http://localhost:{port}/webhooks/twilio/")


def test_a_simulator_out_of_reach_of_its_folder_is_written_to_by_its_address(
    facts: dict[str, str],
) -> None:
    said = subprocess.run(
        [*RECADO, "say", "Vocês abrem domingo?", "--simulator", facts["simulator_url"]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert said.returncode == 0, said.stderr
    assert "7h às 13h" in said.stdout
