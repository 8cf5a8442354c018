"""When a process takes jobs, how it holds them, and how it lets them go."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from common.database import Database
from common.ids import new_id
from common.jobs import Job, Jobs, Outcome
from common.observability.correlation import add_names
from common.testing import eventually
from tests.contract.jobs.table import KINDS, TENANT, JobsTable, Process
from tests.unit.common.jobs.shop import Shop


async def test_the_process_that_schedules_a_job_takes_it_at_once(shop: Shop) -> None:
    async with shop.running(shop.done):
        for _ in range(3):
            await shop.process.schedule()
            await eventually(shop.is_empty)

    assert shop.counted(Outcome.DONE) == 3


async def test_the_process_that_schedules_a_job_for_later_takes_it_then(shop: Shop) -> None:
    async with shop.running(shop.done):
        await shop.process.schedule(due_in=0.3)
        await shop.process.schedule("c2", due_in=0.2)

        await eventually(lambda: len(shop.seen) == 2, within=3)

    assert [job.key for job in shop.seen] == ["c2", "c1"]


async def test_a_job_of_another_process_is_found_by_looking(shop: Shop, other: Process) -> None:
    async with shop.running(shop.done, poll_seconds=0.02):
        await other.schedule()

        await eventually(shop.is_empty)


async def test_a_job_scheduled_while_it_runs_runs_again_at_once(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        if not shop.seen:
            await shop.process.schedule()
        await shop.done(job)

    async with shop.running(turn):
        await shop.process.schedule()

        await eventually(lambda: len(shop.seen) == 2)


async def test_a_job_that_asks_for_it_runs_again(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        if shop.seen:
            await shop.done(job)
        else:
            shop.seen.append(job)
            await shop.process.again(job, due_in=0.05)

    async with shop.running(turn):
        await shop.process.schedule()

        await eventually(shop.is_empty)

    assert [job.attempts for job in shop.seen] == [1, 1]


async def test_a_kind_that_this_process_does_not_run_is_left_alone(shop: Shop) -> None:
    async with shop.running(shop.done, poll_seconds=0.02):
        await shop.process.schedule(kind="timer")
        await shop.process.schedule()
        await eventually(lambda: shop.seen)

    assert (await shop.table.row())["kind"] == "timer"


async def test_a_handler_of_an_unknown_kind_is_refused(shop: Shop) -> None:
    with pytest.raises(ValueError, match="'dance'"):
        shop.runner({"dance": shop.done})


async def test_the_rest_of_a_backlog_follows_as_soon_as_there_is_room(shop: Shop) -> None:
    for number in range(12):
        await shop.process.schedule(f"c{number}")

    async with shop.running(shop.done, concurrency=2):
        await eventually(shop.is_empty)

    assert len(shop.seen) == 12


async def test_no_more_jobs_run_than_the_settings_allow(shop: Shop) -> None:
    running, most = 0, 0

    async def turn(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await shop.done(job)
        running -= 1

    for number in range(10):
        await shop.process.schedule(f"c{number}")

    async with shop.running(turn, concurrency=3):
        await eventually(shop.is_empty)

    assert most == 3


async def test_a_slow_kind_leaves_the_others_a_slot(shop: Shop) -> None:
    stop, free = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> None:
        await free.wait()
        await shop.process.done(job)

    runner = shop.runner({"turn": slow, "publish": shop.done}, concurrency=3)
    task = asyncio.create_task(runner.run(stop))
    for number in range(4):
        await shop.process.schedule(f"c{number}")
    await shop.process.schedule(kind="publish")

    await eventually(lambda: shop.seen)

    free.set()
    await eventually(shop.is_empty)
    stop.set()
    await task


async def test_with_one_slot_a_busy_kind_leaves_the_others_their_turn(shop: Shop) -> None:
    async def busy(job: Job) -> None:
        await shop.process.again(job)

    handlers = {"turn": busy, "publish": shop.done}
    async with shop.running_all(handlers, concurrency=1, poll_seconds=0.02):
        await shop.process.schedule()
        await shop.process.schedule(kind="publish")

        await eventually(lambda: shop.seen)


async def test_a_poll_is_for_all_kinds_though_one_was_just_looked_for(shop: Shop) -> None:
    turns, kinds = frozenset({"turn"}), frozenset({"turn", "publish", "timer"})
    shop.process.jobs = jobs = AskedJobs(shop.process.database)

    async with shop.running_all(dict.fromkeys(kinds, shop.done), poll_seconds=0.2):
        await shop.process.schedule()
        await eventually(shop.is_empty)
        looks = len(jobs.asked)

        polls = await eventually(lambda: [each for each in jobs.asked[looks:] if each != turns])

    assert polls[0] == kinds


class AskedJobs(Jobs):
    """Jobs that remember for which kinds they were asked together."""

    def __init__(self, database: Database) -> None:
        super().__init__("shop", database, KINDS, lease=timedelta(seconds=30), per_tenant=4)
        self.asked: list[frozenset[str]] = []

    async def claim(self, limits: Mapping[str, int]) -> Sequence[Job]:
        self.asked.append(frozenset(limits))
        return await super().claim(limits)


async def test_what_a_tenant_may_not_have_yet_follows_when_one_of_its_jobs_ends(shop: Shop) -> None:
    shop.process.jobs = jobs = AskedJobs(shop.process.database)
    may_end = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        if job.tenant == TENANT:
            await may_end.wait()
        await shop.process.done(job)

    async with shop.running(turn):
        for number in range(4):  # as many as a tenant may have
            await shop.process.schedule(f"c{number}")
        await eventually(lambda: len(shop.seen) == 4)
        looks = len(jobs.asked)
        await shop.process.schedule("waits")
        await eventually(lambda: len(jobs.asked) >= looks + 2)
        await shop.process.schedule("another tenant's", tenant=new_id())
        await eventually(lambda: len(shop.seen) == 5)

        may_end.set()

        await eventually(lambda: len(shop.seen) == 6)


async def test_a_job_is_followed_by_its_correlation_id(shop: Shop) -> None:
    correlation, known = new_id(), dict[str, Any]()

    async def turn(job: Job) -> None:
        known.update(add_names(None, "info", {}))
        await shop.done(job)

    with capture_logs(processors=[add_names]) as lines:
        async with shop.running(turn):
            await shop.process.schedule(correlation=correlation)
            await eventually(shop.is_empty)

    (line,) = [line for line in lines if line["event"] == "job ended"]
    assert known["correlation_id"] == line["correlation_id"] == str(correlation)
    assert (line["outcome"], line["job"], line["key"]) == ("done", "turn", "c1")


async def test_a_long_job_is_held_until_it_is_done(
    shop: Shop, other: Process, table: JobsTable
) -> None:
    shop.process = Process(shop.process.database, lease=0.3)
    release = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        await release.wait()
        await shop.process.done(job)

    async with shop.running(turn):
        await shop.process.schedule()
        (job,) = await eventually(lambda: shop.seen)
        first_term = job.held_until
        await eventually(lambda: job.held_until > first_term + 0.6)
        taken = await other.claim()
        release.set()

    assert taken == []
    assert await table.rows() == []


async def test_a_job_that_another_process_took_is_cancelled(
    shop: Shop, other: Process, table: JobsTable
) -> None:
    shop.process = Process(shop.process.database, lease=0.3)
    cancelled = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with shop.running(turn):
        await shop.process.schedule()
        await eventually(lambda: shop.seen)
        (successor,) = await eventually(lambda: take_away(table, other))

        await asyncio.wait_for(cancelled.wait(), 5)

    lost = {"service": "shop", "kind": "turn"}
    assert shop.registry.get_sample_value("recado_job_leases_lost_total", lost) == 1
    assert (await table.row())["token"] == successor.token


async def take_away(table: JobsTable, other: Process) -> list[Job]:
    """Let the lease run out and take the job, unless a renewal comes between."""
    await table.expire_leases()
    return await other.claim()


async def test_a_process_that_stops_finishes_what_it_holds_and_takes_nothing_new(
    shop: Shop, table: JobsTable
) -> None:
    release = asyncio.Event()

    async def turn(job: Job) -> None:
        shop.seen.append(job)
        await release.wait()
        await shop.process.done(job)

    async with shop.running(turn, poll_seconds=0.02) as stop:
        await shop.process.schedule("held")
        await eventually(lambda: shop.seen)
        stop.set()
        await shop.process.schedule("new")
        release.set()

    assert [(row["key"], row["attempts"]) for row in await table.rows()] == [("new", 0)]


async def test_a_process_that_is_cut_short_gives_its_jobs_back(shop: Shop, other: Process) -> None:
    async def turn(job: Job) -> None:
        shop.seen.append(job)
        await asyncio.Event().wait()

    task = asyncio.create_task(shop.runner({"turn": turn}).run(asyncio.Event()))
    await shop.process.schedule()
    await eventually(lambda: shop.seen)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert (await other.claim_one()).attempts == 1
    assert shop.counted(Outcome.RETURNED) == 1


async def test_a_process_outlives_its_database_being_away(shop: Shop, table: JobsTable) -> None:
    path = table.url.removeprefix("sqlite:///")

    async with table.opened(busy_seconds=0.01) as impatient:
        process = Process(impatient)
        await process.schedule()
        shop.process = process
        with capture_logs() as lines, closing(sqlite3.connect(path)) as writer:
            writer.execute("begin immediate")
            async with shop.running(shop.done):
                await eventually(lambda: lines)
                writer.execute("rollback")
                await eventually(shop.is_empty)

    assert [line["event"] for line in lines] == ["dependency away", "dependency back", "job ended"]
