"""Postgres through asyncpg; a transaction runs over SQLAlchemy's bridge to the event loop."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from common.database.failures import classified
from common.database.transaction import Transaction
from common.ids import Ulid

T = TypeVar("T")

# Transaction-local, so that a pooled connection never carries a tenant into the next transaction.
_SET_TENANT = text("select set_config('app.tenant', :tenant, true)")


def create_engine(url: str, *, pool_size: int, busy_seconds: float) -> AsyncEngine:
    """Make an engine whose every wait is bounded by `busy_seconds`; it connects when first used."""
    milliseconds = str(int(busy_seconds * 1000))
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # errors reach the log, values of rows must not
        pool_timeout=busy_seconds,
        connect_args={
            "timeout": busy_seconds,
            "command_timeout": busy_seconds * 2,
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
        self._engine = create_engine(url, pool_size=pool_size, busy_seconds=busy_seconds)
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
            async with engine.connect() as connection:
                result, tx = await connection.run_sync(_transact, work, tenant)
        for callback in tx.callbacks:
            callback()
        return result


def _transact(
    connection: Connection, work: Callable[[Transaction], T], tenant: Ulid | None
) -> tuple[T, Transaction]:
    with connection.begin():
        tx = Transaction(connection, tenant)
        if tenant is not None:
            tx.execute(_SET_TENANT, {"tenant": str(tenant.to_uuid())})
        return work(tx), tx
