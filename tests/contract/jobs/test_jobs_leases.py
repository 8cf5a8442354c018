"""A process holds a job for a term; without it, it can write nothing."""

import time

import pytest

from common.database import Transaction
from common.jobs import Job, LeaseLostError
from tests.contract.jobs.table import TENANT, JobsTable, Process

HOUR = 3600.0


async def lose(job: Job, table: JobsTable, other: Process) -> Job:
    """Let the lease run out, and another process take the job."""
    await table.expire_leases()
    successor = await other.claim_one()
    assert successor.key == job.key
    return successor


async def test_a_job_whose_process_is_gone_is_taken_at_once_and_keeps_its_attempts(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()

    successor = await lose(job, table, other)

    assert successor.attempts == 2
    assert successor.token > job.token


@pytest.mark.parametrize("ending", ["done", "again", "hold", "back_off", "fail"])
async def test_a_process_that_lost_its_lease_cannot_end_the_job(
    process: Process, other: Process, table: JobsTable, ending: str
) -> None:
    await process.schedule()
    job = await process.claim_one()
    successor = await lose(job, table, other)

    with pytest.raises(LeaseLostError):
        await (process.jobs.fail(job, "") if ending == "fail" else getattr(process, ending)(job))

    assert (await table.row())["token"] == successor.token
    await other.done(successor)


async def test_what_was_written_under_a_lost_lease_is_rolled_back(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()
    await lose(job, table, other)

    def work(tx: Transaction) -> None:
        process.jobs.schedule(tx, "publish", "reply")
        process.jobs.done(tx, job)

    with pytest.raises(LeaseLostError):
        await process.database.transaction(work, tenant=TENANT)

    assert [row["key"] for row in await table.rows()] == ["c1"]


async def test_a_lost_job_that_nobody_runs_yet_cannot_be_ended_either(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()
    await table.expire_leases()
    await other.claim(limit=0)  # it returns what was lost, and takes nothing

    with pytest.raises(LeaseLostError):
        await process.done(job)


async def test_a_stopped_process_cannot_end_the_next_life_of_its_key(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    stopped = await process.claim_one()
    await other.done(await lose(stopped, table, other))
    await other.schedule()
    await other.claim_one()

    with pytest.raises(LeaseLostError):
        await process.done(stopped)


async def test_a_lease_that_is_held_passes_the_fence(process: Process) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.hold(job)

    await process.done(job)


async def test_a_renewed_lease_is_held_for_another_term(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()
    job.held_until = 0.0
    await table.expire_leases()

    await process.jobs.renew([job])

    assert job.held_for().total_seconds() == pytest.approx(30.0, abs=5)
    assert await other.claim() == []


async def test_a_lost_lease_is_not_renewed(
    process: Process, other: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()
    held_until = job.held_until
    successor = await lose(job, table, other)

    await process.jobs.renew([job])

    assert job.held_until == held_until
    assert (await table.row())["token"] == successor.token


async def test_a_claim_is_held_for_no_longer_than_the_database_says(process: Process) -> None:
    await process.schedule()
    before = time.monotonic()

    job = await process.claim_one()

    assert before + 30.0 <= job.held_until <= time.monotonic() + 30.0
