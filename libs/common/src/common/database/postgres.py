"""Postgres through asyncpg; a transaction runs over SQLAlchemy's bridge to the event loop."""

from collections.abc import Callable
from typing import TypeVar, cast

import asyncpg
from sqlalchemy import Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from common.database.failures import classified
from common.database.transaction import Transaction
from common.ids import Ulid

T = TypeVar("T")

_RECYCLE_SECONDS = 1800
"""After which a connection is replaced, so that none lasts for ever with a demoted server."""


class TenantConnection(asyncpg.Connection):
    """Sets the tenant of a transaction together with its BEGIN: one round trip, not two."""

    tenant: Ulid | None = None
    """That of the transactions that begin from now on."""

    async def execute(self, query: str, *args: object, **options: float | None) -> str:
        """Run what needs no answer: of SQLAlchemy's statements those that begin and end."""
        if self.tenant is not None and query.startswith("BEGIN"):
            # transaction-local, so that a pooled connection carries no tenant into the next one
            query += f"select set_config('app.tenant', '{self.tenant.to_uuid()}', true)"
        return await super().execute(query, *args, **options)  # pyright: ignore[reportUnknownMemberType] - asyncpg types no args


def create_engine(
    url: str, *, pool_size: int, busy_seconds: float, command_seconds: float | None
) -> AsyncEngine:
    """Make an engine that connects when first used.

    Every wait for somebody else is bounded by `busy_seconds`, and a statement by `command_seconds`.
    """
    milliseconds = str(int(busy_seconds * 1000))
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # errors reach the log, values of rows must not
        pool_timeout=busy_seconds,
        pool_recycle=_RECYCLE_SECONDS,
        pool_use_lifo=True,  # few connections at work, each with its statements prepared
        connect_args={
            "connection_class": TenantConnection,
            "timeout": busy_seconds,
            "command_timeout": command_seconds,
            "server_settings": {
                "application_name": "recado",
                "lock_timeout": milliseconds,
                # a process that stops inside its transaction must not hold its rows for ever
                "idle_in_transaction_session_timeout": milliseconds,
            },
        },
    )


class PostgresDatabase:
    """See `Database`. Row-level security sees the tenant of each transaction, and nobody else's."""

    def __init__(self, url: str, *, pool_size: int, busy_seconds: float) -> None:
        """Prepare the pool; nothing connects yet."""
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            busy_seconds=busy_seconds,
            command_seconds=busy_seconds * 2,  # for a lock, and for the work
        )
        self._reading = self._engine.execution_options(postgresql_readonly=True)

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        """See `Database.transaction`."""
        return await self._run(self._engine, work, tenant)

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        """See `Database.read`."""
        return await self._run(self._reading, work, tenant)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _run(
        self, engine: AsyncEngine, work: Callable[[Transaction], T], tenant: Ulid | None
    ) -> T:
        with classified("postgres"):
            # once over the bridge for all: an AsyncConnection crosses it to open, to run, to close
            result, tx = await greenlet_spawn(_transact, engine.sync_engine, work, tenant)
        for callback in tx.callbacks:
            callback()
        return result


def _transact(
    engine: Engine, work: Callable[[Transaction], T], tenant: Ulid | None
) -> tuple[T, Transaction]:
    with engine.connect() as connection:
        driver = cast("TenantConnection", connection.connection.driver_connection)
        driver.tenant = tenant
        with connection.begin():
            tx = Transaction(connection, tenant)
            return work(tx), tx
