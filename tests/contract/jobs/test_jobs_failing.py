"""What a failed attempt leaves: back-off, attempts, a reason, and how a job is revived."""

from tests.contract.jobs.table import JobsTable, Process

HOUR = 3600.0


async def test_attempts_count_at_the_claim(process: Process, table: JobsTable) -> None:
    await process.schedule()

    await process.claim_one()

    assert (await table.row())["attempts"] == 1


async def test_a_job_that_backs_off_keeps_its_time(process: Process) -> None:
    await process.schedule()
    await process.back_off(await process.claim_one())

    await process.schedule()

    assert await process.claim() == []


async def test_a_job_that_backs_off_keeps_its_attempts(process: Process, table: JobsTable) -> None:
    await process.schedule()
    await process.back_off(await process.claim_one())

    await table.make_due()

    assert (await process.claim_one()).attempts == 2


async def test_an_attempt_that_was_not_the_jobs_fault_is_not_counted(
    process: Process, table: JobsTable
) -> None:
    await process.schedule()
    await process.back_off(await process.claim_one(), counted=False)

    await table.make_due()

    assert (await process.claim_one()).attempts == 1


async def test_new_traffic_does_not_hurry_a_job_that_failed_while_it_came(
    process: Process,
) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule()
    await process.back_off(job)

    assert await process.claim() == []


async def test_a_failed_job_tells_why_and_since_when(process: Process, table: JobsTable) -> None:
    await process.schedule()

    await process.jobs.fail(await process.claim_one(), "no such conversation")

    row = await table.row()
    assert await process.claim() == []
    assert row["reason"] == "no such conversation"
    assert row["failed_at"] >= row["scheduled_at"]


async def test_scheduling_a_failed_job_revives_it(process: Process, table: JobsTable) -> None:
    await process.schedule()
    await process.jobs.fail(await process.claim_one(), "a fault that was mended")

    await process.schedule()

    assert (await process.claim_one()).attempts == 1
    assert (await table.row())["reason"] is None


async def test_a_revived_job_runs_when_it_was_scheduled_and_not_before(process: Process) -> None:
    await process.schedule()
    await process.jobs.fail(await process.claim_one(), "a fault")

    await process.schedule(due_in=HOUR)

    assert await process.claim() == []


async def test_a_job_that_fails_after_it_was_scheduled_again_is_revived(
    process: Process, table: JobsTable
) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule()
    await process.jobs.fail(job, "the older work was wrong")

    assert (await process.claim_one()).attempts == 1
    assert (await table.row())["reason"] is None
