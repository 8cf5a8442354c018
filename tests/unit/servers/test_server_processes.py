import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.processes import Server, ServerFailedError, free_ports

ROOT = Path(__file__).parents[3]

STARTS_A_SERVER = """
import signal
import sys
from pathlib import Path
from tests.servers.processes import Server, ending_on_sigterm

with ending_on_sigterm():
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", sys.argv[1]]
    server = Server(command, log=Path(sys.argv[2]))
    try:
        print("started", flush=True)
        sys.stdin.read()
    finally:
        server.end(signal.SIGKILL)
        print("unwound", flush=True)
"""


def test_a_server_does_not_outlive_the_kill_of_the_process_that_started_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    with starter(port, tmp_path) as process, connected(port) as connection:
        process.kill()

        assert is_closed_by_the_other_end(connection)


def test_sigterm_unwinds_the_stack_of_the_process_that_holds_servers(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    with starter(port, tmp_path) as process:
        process.terminate()
        said, _ = process.communicate(timeout=20)

    assert said == "unwound\n"


def test_a_server_that_ends_early_fails_with_its_last_words(tmp_path: Path) -> None:
    server = Server([sys.executable, "-c", "exit('no disk')"], log=tmp_path / "kafka.log")

    with pytest.raises(ServerFailedError, match=r"kafka ended(.|\n)*no disk"):
        server.wait_until(lambda: False, seconds=20)


def test_a_server_that_is_not_ready_in_time_fails(tmp_path: Path) -> None:
    server = Server(["sleep", "60"], log=tmp_path / "postgres.log")

    with pytest.raises(ServerFailedError, match="postgres was not ready after 0 s"):
        server.wait_until(lambda: False, seconds=0)

    server.end(signal.SIGTERM)


def test_a_server_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done"
    log = tmp_path / "stubborn.log"
    server = Server(["sh", "-c", stubborn], log=log)
    server.wait_until(lambda: "ready" in log.read_text(), seconds=20)

    server.end(signal.SIGTERM, seconds=0.1)

    with pytest.raises(ServerFailedError, match="ended"):
        server.wait_until(lambda: False, seconds=20)


@contextmanager
def starter(port: int, folder: Path) -> Generator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", STARTS_A_SERVER, str(port), str(folder / "http.log")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process


def is_closed_by_the_other_end(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:  # it ended before it accepted
        return True


@contextmanager
def connected(port: int) -> Generator[socket.socket]:
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            continue
        with connection:
            yield connection
        return
