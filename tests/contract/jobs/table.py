"""A service's jobs in a real database, as its processes and as an administrator see them."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from common.database import Database, Transaction, open_database
from common.database.doors import create_roles
from common.ids import Ulid, new_id
from common.jobs import Job, Jobs
from common.jobs.schema import create_jobs
from tests.servers.postgres import PostgresDatabase

KINDS = ("turn", "publish", "timer")
TENANT = new_id()


@dataclass(frozen=True)
class JobsTable:
    """The table `shop_jobs`. `url` is a serving process'; `admin_url` is the owner's."""

    url: str
    admin_url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def opened(self, *, busy_seconds: float = 5.0) -> AbstractAsyncContextManager[Database]:
        """Connections of one more process."""
        return open_database(self.url, pool_size=4, busy_seconds=busy_seconds)

    async def execute(self, *statements: str) -> list[dict[str, Any]]:
        """Run them as the administrator; give the last one's rows."""
        if self.is_sqlite:
            return self._execute_on_sqlite(statements)
        connection = await asyncpg.connect(self.admin_url)
        try:
            answers = [await connection.fetch(statement) for statement in statements]
        finally:
            await connection.close()
        return [dict(row) for row in answers[-1]]

    def _execute_on_sqlite(self, statements: tuple[str, ...]) -> list[dict[str, Any]]:
        path = self.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            answers = [connection.execute(statement).fetchall() for statement in statements]
        return [dict(row) for row in answers[-1]]

    async def rows(self) -> list[dict[str, Any]]:
        return await self.execute("select * from shop_jobs order by key")

    async def row(self) -> dict[str, Any]:
        """The only job there is."""
        (row,) = await self.rows()
        return row

    async def expire_leases(self) -> None:
        """Let every lease have run out long ago."""
        await self.execute(f"update shop_jobs set lease_until = {self._long_ago}")

    async def make_due(self) -> None:
        """Let the time pass until everything that waits is due."""
        await self.execute(f"update shop_jobs set due_at = {self._long_ago} where token is null")

    @property
    def _long_ago(self) -> str:
        return "0" if self.is_sqlite else "'2001-01-01'"


async def sqlite_table(path: str) -> JobsTable:
    table = JobsTable(f"sqlite:///{path}", f"sqlite:///{path}")
    await table.execute("pragma journal_mode = wal", *create_jobs("shop", "sqlite"))
    return table


async def postgres_table(database: PostgresDatabase) -> JobsTable:
    owner = JobsTable(database.admin_url, database.admin_url)
    await owner.execute(*create_roles(), *create_jobs("shop", "postgresql"))
    return JobsTable(await database.add_serving_login(), database.admin_url)


class Process:
    """What one process does with the jobs; its memory is its own."""

    def __init__(self, database: Database, *, lease: float = 30.0, per_tenant: int = 4) -> None:
        self.database = database
        self.jobs = Jobs(
            "shop", database, KINDS, lease=timedelta(seconds=lease), per_tenant=per_tenant
        )

    async def schedule(
        self,
        key: str = "c1",
        *,
        kind: str = "turn",
        tenant: Ulid = TENANT,
        due_in: float = 0.0,
        correlation: Ulid | None = None,
    ) -> None:
        later = timedelta(seconds=due_in)

        def work(tx: Transaction) -> None:
            self.jobs.schedule(tx, kind, key, due_in=later, correlation=correlation)

        await self.database.transaction(work, tenant=tenant)

    async def claim(self, limit: int = 10, *, kind: str = "turn") -> list[Job]:
        return list(await self.jobs.claim({kind: limit}))

    async def claim_each(self, **limits: int) -> list[Job]:
        return list(await self.jobs.claim(limits))

    async def claim_one(self) -> Job:
        (job,) = await self.claim()
        return job

    async def done(self, job: Job) -> None:
        await self.database.transaction(lambda tx: self.jobs.done(tx, job), tenant=job.tenant)

    async def again(self, job: Job, *, due_in: float = 0.0) -> None:
        later = timedelta(seconds=due_in)
        await self.database.transaction(
            lambda tx: self.jobs.again(tx, job, due_in=later), tenant=job.tenant
        )

    async def hold(self, job: Job) -> None:
        await self.database.transaction(lambda tx: self.jobs.hold(tx, job), tenant=job.tenant)

    async def back_off(self, job: Job, *, delay: float = 3600.0, counted: bool = True) -> None:
        await self.jobs.back_off(job, delay=timedelta(seconds=delay), counted=counted)


@asynccontextmanager
async def started(table: JobsTable, *, lease: float = 30.0) -> AsyncGenerator[Process]:
    """One more process."""
    async with table.opened() as database:
        yield Process(database, lease=lease)
