"""A Postgres cluster for tests, and new, empty databases in it."""

import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg

from tests.servers.postgres_node import SYSTEM_USER, PostgresNode
from tests.servers.processes import ServerMissingError

ADDRESS = "RECADO_TEST_POSTGRES_URL"
DEBIAN_FOLDER = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgresDatabase:
    """A database of one test's own. Roles are the whole cluster's: its logins carry its name."""

    server: "PostgresServer"
    name: str
    _logins: list[str] = field(default_factory=list[str])

    @property
    def admin_url(self) -> str:
        return _url(self.server.admin_url, database=self.name)

    async def add_serving_login(self, *, group: str = "recado_serving") -> str:
        """Create a login in `group`, which the migrations must have created; give its URL."""
        login, password = f"{self.name}_{len(self._logins)}", secrets.token_urlsafe()
        await _execute(
            self.admin_url,
            f"CREATE ROLE {login} LOGIN PASSWORD '{password}'",
            f"GRANT {group} TO {login}",
        )
        self._logins.append(login)
        return _url(self.server.admin_url, database=self.name, user=login, password=password)

    async def drop(self) -> None:
        """End its connections and remove it together with its logins."""
        await _execute(
            self.server.admin_url,
            f"DROP DATABASE {self.name} WITH (FORCE)",
            *(f"DROP ROLE {login}" for login in self._logins),
        )


@dataclass(frozen=True)
class PostgresServer:
    """A cluster, known by its superuser's URL."""

    admin_url: str
    node: PostgresNode | None = None
    """None when the environment gave the address: it is not ours to stop."""

    async def create_database(self, *, template: str = "template1") -> PostgresDatabase:
        """Copy `template`, to which nobody may be connected meanwhile, under a new name."""
        name = f"recado_{secrets.token_hex(6)}"
        await _execute(self.admin_url, f"CREATE DATABASE {name} TEMPLATE {template}")
        return PostgresDatabase(self, name)


@contextmanager
def postgres(*, fsync: bool = True) -> Generator[PostgresServer]:
    """The cluster that the environment names, else one of our own for as long as this lasts."""
    if address := os.environ.get(ADDRESS):
        yield PostgresServer(address)
        return
    with local_postgres(fsync=fsync) as server:
        yield server


@contextmanager
def local_postgres(*, host: str = "127.0.0.1", fsync: bool = True) -> Generator[PostgresServer]:
    """A cluster of our own in any case; clients reach it at `host`, an address of this machine.

    Without `fsync` it waits for no disk: then all survives its kill, and not the machine's.
    """
    programs = find_programs()
    with TemporaryDirectory(prefix="recado-postgres-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
        node = PostgresNode(programs, Path(folder), host=host, fsync=fsync)
        try:
            node.start()
            yield PostgresServer(node.admin_url, node)
        finally:
            node.discard()


def find_programs() -> Path:
    """The folder of the newest Postgres server's programs, which Debian keeps off PATH."""
    folders = DEBIAN_FOLDER.glob("*/bin")
    found = [folder for folder in folders if (folder / "initdb").exists()]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        raise ServerMissingError(
            "Postgres is not installed: run `.venv/bin/python -m tests.servers install`, "
            f"or set {ADDRESS} to the URL of a superuser"
        )
    return Path(on_path).resolve().parent


def _url(base: str, *, database: str, user: str | None = None, password: str | None = None) -> str:
    parts = urlsplit(base)
    place = parts.netloc.rpartition("@")
    login = f"{user}:{password}" if user else place[0]
    return parts._replace(netloc=f"{login}@{place[2]}", path=f"/{database}").geturl()


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
