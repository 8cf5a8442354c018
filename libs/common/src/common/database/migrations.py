"""Bring a database to the newest shape: the one place that runs Alembic.

Each writing service has its own history, in `<service>/migrations`, and its own version table, so
that services are released apart from each other.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from common.database.postgres import create_engine
from common.database.sqlite import sqlite_engine
from common.errors import StartError

_LOCK = 0x7265_6361  # "reca": two migrations at once wait for each other


async def upgrade(url: str, histories: Sequence[str], *, busy_seconds: float = 60.0) -> None:
    """Run the newest migrations of each service named in `histories`, as the owner of the tables.

    Raises `StartError` with a sentence when the database cannot be reached.
    """
    if make_url(url).get_backend_name() == "sqlite":
        await asyncio.to_thread(_upgrade_sqlite, url, histories, busy_seconds)
    else:
        await _upgrade_postgres(url, histories, busy_seconds)


def run_history(version_table: str) -> None:
    """Run one service's migrations on the connection of `upgrade`; called by its `env.py`."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table=version_table,
        transaction_per_migration=False,
    )
    context.run_migrations()


async def _upgrade_postgres(url: str, histories: Sequence[str], busy_seconds: float) -> None:
    # an index of months of rows takes as long as it takes
    engine = create_engine(url, pool_size=1, busy_seconds=busy_seconds, command_seconds=None)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade_all, histories)
    except (OSError, DBAPIError) as error:
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) is not None:
            raise
        raise StartError(
            f"Postgres does not answer at {make_url(url).render_as_string()} ({error}). "
            "Start it, or mend RECADO_DATABASE_ADMIN_URL."
        ) from error
    finally:
        await engine.dispose()


def _upgrade_sqlite(url: str, histories: Sequence[str], busy_seconds: float) -> None:
    path = Path(make_url(url).database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(path, busy_seconds, writes=True)
    try:
        with engine.begin() as connection:
            _upgrade_all(connection, histories)
    finally:
        engine.dispose()


def _upgrade_all(connection: Connection, histories: Sequence[str]) -> None:
    for service in histories:
        config = Config()
        config.set_main_option("script_location", f"{service}:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
