"""Jobs on SQLite in memory, whose clock goes only where a test moves it, and without threads."""

import sqlite3
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import StaticPool, create_engine, event

from common.database import Transaction
from common.database.sqlite import SqliteDatabase
from common.ids import Ulid
from common.jobs import Jobs
from common.jobs.schema import create_jobs

T = TypeVar("T")

LEASE = 9.5
PER_TENANT = 2
_EPOCH_AS_JULIAN_DAY = 2440587.5


class SimulatedDatabase(SqliteDatabase):
    """One connection; what SQLite takes for the time is `seconds`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._engine = create_engine("sqlite://", poolclass=StaticPool)

        @event.listens_for(self._engine, "connect")
        def _(connection: sqlite3.Connection, _record: object) -> None:
            connection.create_function("julianday", 1, self._julian_day)

        with self._engine.begin() as connection:
            for statement in create_jobs("shop", "sqlite"):
                connection.exec_driver_sql(statement)

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        with self._engine.begin() as connection:
            tx = Transaction(connection, tenant)
            result = work(tx)
        for callback in tx.callbacks:
            callback()
        return result

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        return await self.transaction(work, tenant=tenant)

    def rows(self) -> set[tuple[str, str]]:
        """Tenant and key of every job that there is."""
        with self._engine.begin() as connection:
            rows = connection.exec_driver_sql("select tenant_id, key from shop_jobs")
            return {(tenant, key) for tenant, key in rows}

    def process(self) -> Jobs:
        """One more process that shares the table."""
        lease = timedelta(seconds=LEASE)
        return Jobs("shop", self, ["turn"], lease=lease, per_tenant=PER_TENANT)

    def dispose(self) -> None:
        self._engine.dispose()

    def _julian_day(self, _now: str) -> float:
        return _EPOCH_AS_JULIAN_DAY + self.seconds / 86400


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("it waits for something")
