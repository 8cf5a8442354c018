"""What becomes of a job whose handler ends it, raises, or forgets to."""

import asyncio

from structlog.testing import capture_logs

from common.errors import DependencyDown, PermanentError
from common.jobs import Job, LeaseLostError, Outcome
from common.testing import eventually
from tests.contract.jobs.table import JobsTable, Process
from tests.unit.common.jobs.shop import Shop


async def test_a_job_that_raises_is_tried_again(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        if job.attempts < 3:
            raise KeyError(job.key)
        await shop.done(job)

    async with shop.running(turn):
        await shop.process.schedule()

        await eventually(shop.is_empty)

    assert shop.counted(Outcome.RETRIED) == 2


async def test_a_job_that_always_raises_fails_after_its_attempts(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        shop.seen.append(job)
        raise KeyError(job.key)

    async with shop.running(turn):
        await shop.process.schedule()

        assert await eventually(shop.failure) == "KeyError: 'c1'"

    assert [job.attempts for job in shop.seen] == [1, 2, 3]
    assert shop.counted(Outcome.FAILED) == 1


async def test_a_job_that_cannot_succeed_fails_at_once(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        shop.seen.append(job)
        raise PermanentError("no such conversation")

    async with shop.running(turn):
        await shop.process.schedule()

        assert await eventually(shop.failure) == "PermanentError: no such conversation"

    assert len(shop.seen) == 1


async def test_a_job_whose_every_attempt_ended_its_process_is_not_run_again(
    shop: Shop, other: Process, table: JobsTable
) -> None:
    await shop.process.schedule()
    for _ in range(3):
        await other.claim_one()
        await table.expire_leases()

    async with shop.running(shop.done):
        assert await eventually(shop.failure) == "every attempt ended with its process or its lease"

    assert shop.seen == []


async def test_a_handler_that_forgets_to_end_its_job_fails_it_loudly(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        shop.seen.append(job)

    with capture_logs() as lines:
        async with shop.running(turn):
            await shop.process.schedule()
            assert await eventually(shop.failure)

    (line,) = [line for line in lines if line["event"] == "job ended"]
    assert line["log_level"] == "error"
    assert line["reason"] == "the handler returned without ending its job"


async def test_a_handler_that_raises_after_its_end_has_ended_its_job(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        await shop.done(job)
        raise KeyError(job.key)

    with capture_logs() as lines:
        async with shop.running(turn):
            await shop.process.schedule()
            await eventually(shop.is_empty)

    assert shop.counted(Outcome.DONE) == 1
    assert [line["log_level"] for line in lines] == ["error", "info"]


async def test_a_dependency_that_is_away_costs_no_attempt_and_is_told_once(shop: Shop) -> None:
    back = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        if not back.is_set():
            raise DependencyDown("kafka", "no broker answers")
        await shop.process.done(job)

    with capture_logs() as lines:
        async with shop.running(turn):
            for number in range(3):
                await shop.process.schedule(f"c{number}")
            await eventually(lambda: len(shop.seen) > 12)
            back.set()
            await eventually(shop.is_empty)

    told = [line["event"] for line in lines if line["log_level"] != "debug"]
    assert {job.attempts for job in shop.seen} == {1}
    assert told.count("dependency away") == told.count("dependency back") == 1


async def test_an_endless_job_is_tried_until_it_succeeds(shop: Shop) -> None:
    shop.endless = ("turn",)

    async def turn(job: Job) -> None:
        if job.attempts <= 7:
            raise KeyError(job.key)
        await shop.done(job)

    async with shop.running(turn, retry_longest_seconds=0.02):
        await shop.process.schedule()

        await eventually(shop.is_empty)

    assert [job.attempts for job in shop.seen] == [8]


async def test_what_one_job_waits_for_is_told_once_though_others_get_on(shop: Shop) -> None:
    back = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        if job.key == "locked" and not back.is_set():
            raise DependencyDown("channel account", "its secrets do not open")
        await shop.process.done(job)

    with capture_logs() as lines:
        async with shop.running(turn):
            await shop.process.schedule("locked")
            for number in range(4):
                await eventually(lambda: shop.counted(Outcome.AWAY) > number)  # noqa: B023 - awaited here
                await shop.process.schedule(f"c{number}")
            await eventually(lambda: shop.counted(Outcome.DONE) == 4)
            back.set()
            await eventually(shop.is_empty)

    told = [line["event"] for line in lines if line["log_level"] != "debug"]
    assert told.count("dependency away") == told.count("dependency back") == 1


async def test_a_lease_found_lost_at_the_end_is_nobodys_failure(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        shop.seen.append(job)
        raise LeaseLostError

    with capture_logs() as lines:
        async with shop.running(turn):
            await shop.process.schedule()
            await eventually(lambda: shop.counted(Outcome.LOST))

    assert [line["log_level"] for line in lines] == ["info"]
    assert await shop.failure() is None
