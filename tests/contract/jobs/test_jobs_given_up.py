"""A job that cannot be settled as it should be, on both databases: it stops nobody else's."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from structlog.testing import capture_logs

from common.database import Transaction
from common.errors import PermanentError
from common.jobs import GivenUp, Job, JobRunner
from common.observability.metrics import Metrics
from common.settings import JobSettings
from common.testing import eventually
from common.testing.broker import running
from tests.contract.jobs.table import JobsTable, Process

UNSETTLED = "job cannot be settled"


@asynccontextmanager
async def working(process: Process, given_up: GivenUp) -> AsyncGenerator[asyncio.Task[None]]:
    """Run `turn` jobs; that of the key `bad` always fails."""

    async def turn(job: Job) -> None:
        if job.key == "bad":
            raise PermanentError("no such conversation")
        await process.done(job)

    runner = JobRunner(
        process.jobs,
        {"turn": turn},
        JobSettings(kinds=frozenset({"turn"}), poll_seconds=0.02),
        Metrics(CollectorRegistry()),
        given_up={"turn": given_up},
    )
    async with running(runner) as task:
        yield task


def ask_for_a_table_that_is_not_there(tx: Transaction, _job: Job) -> None:
    tx.execute(text("select * from nowhere"))


async def test_a_job_that_cannot_be_given_up_is_failed_without_and_the_others_go_on(
    process: Process, table: JobsTable
) -> None:
    async def failed() -> bool:
        return (await table.row())["reason"] is not None

    with capture_logs() as lines:
        async with working(process, ask_for_a_table_that_is_not_there) as task:
            await process.schedule("bad")
            await eventually(failed)
            await process.schedule("good")
            await eventually(lambda: _only_failed(table))
            assert not task.done()

    assert (await table.row())["reason"] == "PermanentError: no such conversation"
    (line,) = [line for line in lines if line["event"] == UNSETTLED]
    assert line["log_level"] == "error"


async def test_a_job_that_cannot_be_settled_at_all_stops_nobody(
    process: Process, table: JobsTable
) -> None:
    await process.schedule("bad")
    await table.execute("alter table shop_jobs rename column failed_at to failed_on")

    with capture_logs() as lines:
        async with working(process, ask_for_a_table_that_is_not_there) as task:
            await eventually(lambda: [line["event"] for line in lines].count(UNSETTLED) == 2)
            assert not task.done()

    assert (await table.row())["token"] is not None


async def _only_failed(table: JobsTable) -> bool:
    return [row["key"] for row in await table.rows()] == ["bad"]
