"""A transaction that stands still with a job's row locked keeps the row, and nobody else's."""

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.database import Transaction
from common.errors import DependencyDown
from tests.contract.jobs.table import JobsTable, Process, postgres_table
from tests.servers.postgres import PostgresDatabase


@pytest.fixture
async def table(postgres_database: PostgresDatabase) -> JobsTable:
    return await postgres_table(postgres_database)


@pytest.fixture
async def admin(table: JobsTable) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody who holds locks."""
    connection = await asyncpg.connect(table.admin_url)
    yield connection
    await connection.close()


async def test_a_row_that_is_locked_keeps_no_claim_waiting(
    table: JobsTable, admin: asyncpg.Connection
) -> None:
    async with table.opened() as database, admin.transaction():
        process = Process(database)
        await process.schedule("locked", due_in=-1.0)
        await process.schedule("free")
        await admin.execute("select from shop_jobs where key = 'locked' for update")

        assert [job.key for job in await process.claim()] == ["free"]


async def test_a_lost_job_that_is_locked_keeps_no_claim_waiting(
    table: JobsTable, admin: asyncpg.Connection
) -> None:
    async with table.opened() as database, admin.transaction():
        process = Process(database)
        await process.schedule("locked")
        await process.claim_one()
        await process.schedule("free")
        await table.expire_leases()
        await admin.execute("select from shop_jobs where key = 'locked' for update")

        assert [job.key for job in await process.claim()] == ["free"]


async def test_a_row_that_is_locked_keeps_no_renewal_waiting(
    table: JobsTable, admin: asyncpg.Connection
) -> None:
    async with table.opened() as database, admin.transaction():
        process = Process(database)
        await process.schedule("locked")
        await process.schedule("free")
        jobs = {job.key: job for job in await process.claim()}
        for job in jobs.values():
            job.held_until = 0.0
        await admin.execute("select from shop_jobs where key = 'locked' for update")

        await process.jobs.renew(jobs.values())

    assert {key: job.held_until > 0 for key, job in jobs.items()} == {"locked": False, "free": True}


async def test_a_process_that_stops_inside_its_last_transaction_is_ended_by_the_server(
    table: JobsTable,
) -> None:
    async with table.opened(busy_seconds=0.3) as database:
        process = Process(database)
        await process.schedule()
        job = await process.claim_one()

        def stop_for_a_while(tx: Transaction) -> None:
            process.jobs.done(tx, job)
            time.sleep(1.0)  # as SIGSTOP does: nothing else of the process runs meanwhile

        with pytest.raises(DependencyDown):
            await database.transaction(stop_for_a_while, tenant=job.tenant)

    assert (await table.row())["token"] == job.token
