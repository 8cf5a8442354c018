"""One Postgres cluster's processes, and what can befall them."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from tests.servers.processes import Server, free_ports, run

SYSTEM_USER = "postgres"
READY_SECONDS = 30


class PostgresNode:
    """A server whose port and data stay the same over every stop, kill and start."""

    def __init__(self, programs: Path, folder: Path, *, host: str, fsync: bool) -> None:
        """Prepare an empty cluster in `folder`, which the system's user must own."""
        self._programs = programs
        self._folder = folder
        self._host = host
        self._fsync = "on" if fsync else "off"
        self._password = secrets.token_urlsafe()
        (self._port,) = free_ports(1)
        self._server: Server | None = None
        self._initialize()

    @property
    def admin_url(self) -> str:
        address = f"{self._host}:{self._port}"
        return f"postgresql://{SYSTEM_USER}:{self._password}@{address}/postgres"

    def start(self) -> None:
        """Return once it serves; after a kill, once what the log holds was done again."""
        listening = {"port": self._port, "listen_addresses": self._host}
        options = {**listening, "unix_socket_directories": "", "fsync": self._fsync}
        self._server = Server(
            [
                *(str(self._programs / "postgres"), "-D", str(self._data)),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            log=self._folder / "postgres.log",
            user=SYSTEM_USER,
        )
        self._server.wait_until(self._answers, seconds=READY_SECONDS)

    def stop(self) -> None:
        """End orderly: sessions are ended, and what they had not committed is undone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def discard(self) -> None:
        """End at once for good: what it holds is thrown away."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.end(number)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialize(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if os.geteuid() == 0:
            shutil.chown(password_file, SYSTEM_USER)
        command = [
            *(str(self._programs / "initdb"), f"--pgdata={self._data}"),
            *(f"--username={SYSTEM_USER}", "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        ]
        run(command, user=SYSTEM_USER)
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")

    def _answers(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "--quiet"]
        address = [f"--host={self._host}", f"--port={self._port}"]
        return subprocess.run([*probe, *address], check=False).returncode == 0
