"""Databases with every table in them: migrated once a run, then copied, since migrating is slow."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from common.database.migrations import upgrade
from tests.servers.postgres import PostgresDatabase, PostgresServer

HISTORIES = ("processor", "notifier")

_template_of: dict[str, str] = {}
"""The migrated database of each cluster, by the cluster's address."""


async def migrated_postgres(server: PostgresServer) -> PostgresDatabase:
    """A new database with the tables of all services, and no rows."""
    if server.admin_url not in _template_of:
        template = await server.create_database()
        await upgrade(template.admin_url, HISTORIES)
        _template_of[server.admin_url] = template.name
    return await server.create_database(template=_template_of[server.admin_url])


async def migrated_sqlite(file: Path) -> str:
    """A new file with the tables of all services, and no rows; returns its URL."""
    template = _folder() / "migrated.db"
    if not template.exists():
        making = template.with_suffix(".new")
        await upgrade(f"sqlite:///{making}", HISTORIES)
        making.rename(template)
    shutil.copy(template, file)
    return f"sqlite:///{file}"


@cache
def _folder() -> Path:
    folder = mkdtemp(prefix="recado-migrated-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
