"""When a job runs: what scheduling it means, before it runs and while it does."""

import time

import pytest
import time_machine

from common.database import Transaction
from common.ids import new_id
from common.jobs import Outcome
from common.jobs.job import JobName
from tests.contract.jobs.table import TENANT, JobsTable, Process

HOUR = 3600.0


async def test_a_job_that_is_done_is_gone(process: Process, table: JobsTable) -> None:
    await process.schedule()

    await process.done(await process.claim_one())

    assert await table.rows() == []


async def test_a_job_belongs_to_its_tenant_kind_and_key(process: Process) -> None:
    tenant, correlation = new_id(), new_id()

    await process.schedule("k", kind="publish", tenant=tenant, correlation=correlation)
    (job,) = await process.claim(kind="publish")

    assert (job.tenant, job.kind, job.key, job.correlation) == (tenant, "publish", "k", correlation)


async def test_a_job_is_followed_by_the_last_correlation_that_it_was_given(
    process: Process,
) -> None:
    first, last = new_id(), new_id()

    for correlation in (first, last, None):
        await process.schedule(correlation=correlation)

    assert (await process.claim_one()).correlation == last


async def test_a_kind_is_claimed_apart_from_the_others(process: Process) -> None:
    await process.schedule(kind="timer")

    assert await process.claim(kind="turn") == []


async def test_two_tenants_may_use_the_same_key(process: Process) -> None:
    tenants = {new_id(), new_id()}

    for tenant in tenants:
        await process.schedule("k", tenant=tenant)

    assert {job.tenant for job in await process.claim()} == tenants


async def test_a_job_scheduled_twice_runs_once(process: Process) -> None:
    await process.schedule()
    await process.schedule()

    assert len(await process.claim()) == 1


async def test_a_job_is_not_claimed_before_it_is_due(process: Process) -> None:
    await process.schedule(due_in=HOUR)

    assert await process.claim() == []


@pytest.mark.parametrize("times", [(0, HOUR), (HOUR, 0)])
async def test_the_earliest_time_asked_for_wins(process: Process, times: list[float]) -> None:
    for due_in in times:
        await process.schedule(due_in=due_in)

    assert len(await process.claim()) == 1


async def test_what_was_rolled_back_was_never_scheduled(process: Process, table: JobsTable) -> None:
    def work(tx: Transaction) -> None:
        process.jobs.schedule(tx, "turn", "c1")
        raise KeyError

    with pytest.raises(KeyError):
        await process.database.transaction(work, tenant=TENANT)

    assert await table.rows() == []


async def test_a_kind_without_handler_cannot_be_scheduled(process: Process) -> None:
    with pytest.raises(ValueError, match="no jobs of kind 'dance', only"):
        await process.schedule(kind="dance")


async def test_a_job_without_tenant_cannot_be_scheduled(process: Process) -> None:
    with pytest.raises(ValueError, match="belongs to a tenant"):
        await process.database.transaction(lambda tx: process.jobs.schedule(tx, "turn", "c1"))


async def test_time_is_the_databases(process: Process, table: JobsTable) -> None:
    with time_machine.travel(time.time() + HOUR):
        await process.schedule(due_in=60)
        too_early = await process.claim()
    await table.make_due()
    with time_machine.travel(time.time() - HOUR):
        in_time = await process.claim()

    assert (len(too_early), len(in_time)) == (0, 1)


async def test_a_job_that_runs_is_not_claimed_again(process: Process, other: Process) -> None:
    await process.schedule()
    await process.claim_one()

    await other.schedule()

    assert await other.claim() == []


async def test_what_is_scheduled_while_a_job_runs_runs_after_it(process: Process) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule()
    await process.done(job)

    assert len(await process.claim()) == 1


async def test_what_is_scheduled_while_a_job_runs_has_all_its_attempts(process: Process) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule()
    await process.done(job)

    assert (await process.claim_one()).attempts == 1


async def test_what_is_scheduled_while_a_job_runs_keeps_its_time(process: Process) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule(due_in=HOUR)
    await process.done(job)

    assert await process.claim() == []


async def test_a_job_that_got_on_runs_again_when_it_asks(
    process: Process, table: JobsTable
) -> None:
    await process.schedule()

    await process.again(await process.claim_one(), due_in=HOUR)

    assert await process.claim() == []
    await table.make_due()
    assert (await process.claim_one()).attempts == 1


async def test_a_job_that_asks_for_later_runs_when_it_was_scheduled(process: Process) -> None:
    await process.schedule()
    job = await process.claim_one()

    await process.schedule()
    await process.again(job, due_in=HOUR)

    assert len(await process.claim()) == 1


async def test_a_job_knows_how_it_ended_once_that_is_committed(process: Process) -> None:
    await process.schedule("c1")
    await process.schedule("c2")
    first, second = await process.claim()

    def work(tx: Transaction) -> None:
        process.jobs.done(tx, first)
        raise KeyError

    with pytest.raises(KeyError):
        await process.database.transaction(work, tenant=TENANT)
    await process.again(second)

    assert (first.outcome, second.outcome) == (None, Outcome.AGAIN)


async def test_a_key_that_comes_back_gets_a_token_of_its_own(
    process: Process, other: Process
) -> None:
    tokens: list[int] = []

    for worker in (process, other, process):
        await worker.schedule()
        job = await worker.claim_one()
        tokens.append(job.token)
        await worker.done(job)

    assert tokens == sorted(set(tokens))


async def test_a_listener_is_told_of_a_job_once_it_is_committed(process: Process) -> None:
    told: list[tuple[JobName, float]] = []

    def work(tx: Transaction) -> None:
        process.jobs.schedule(tx, "turn", "c1")
        assert told == []

    with process.jobs.telling(lambda job, due_in: told.append((job, due_in))):
        await process.database.transaction(work, tenant=TENANT)

    assert told == [(JobName("turn", TENANT, "c1"), 0.0)]


async def test_a_listener_is_told_when_an_ended_job_runs_again(process: Process) -> None:
    told: list[float] = []
    await process.schedule()
    job = await process.claim_one()

    with process.jobs.telling(lambda _job, due_in: told.append(due_in)):
        await process.again(job, due_in=60.0)

    assert told == [pytest.approx(60.0, abs=2)]


async def test_a_claim_tells_how_late_it_is(process: Process, table: JobsTable) -> None:
    await process.schedule("c1")
    await table.make_due()
    await process.schedule("c2")

    late = {job.key: job.late for job in await process.claim()}

    assert late["c1"] > HOUR
    assert late["c2"] == pytest.approx(0.0, abs=5)
