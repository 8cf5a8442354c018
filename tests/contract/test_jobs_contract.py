"""The rules of jobs, which hold on SQLite and on Postgres, there as a serving process sees it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import time_machine

from common.database import Transaction
from common.ids import Ulid, new_id
from common.jobs import Job, LeaseLostError, Outcome
from tests.contract.jobs_table import (
    TENANT,
    JobsTable,
    Process,
    postgres_table,
    sqlite_table,
    started,
)
from tests.servers.postgres import PostgresDatabase

HOUR = 3600.0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresDatabase | None:
    """Where the table is to be; None is a file."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_database")


@pytest.fixture
async def table(server: PostgresDatabase | None, tmp_path: Path) -> JobsTable:
    return await (sqlite_table(f"{tmp_path}/shop.db") if server is None else postgres_table(server))


@pytest.fixture
async def process(table: JobsTable) -> AsyncIterator[Process]:
    async with started(table) as process:
        yield process


@pytest.fixture
async def other(table: JobsTable) -> AsyncIterator[Process]:
    """Another process."""
    async with started(table) as process:
        yield process


# Scheduled


async def test_a_job_that_is_done_is_gone(process: Process, table: JobsTable) -> None:
    await process.schedule()

    await process.done(await process.claim_one())

    assert await table.rows() == []


async def test_a_job_belongs_to_its_tenant_kind_and_key(process: Process) -> None:
    tenant, correlation = new_id(), new_id()

    await process.schedule("k", kind="publish", tenant=tenant, correlation=correlation)
    (job,) = await process.claim(kind="publish")

    assert (job.tenant, job.kind, job.key, job.correlation) == (tenant, "publish", "k", correlation)


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


# Running


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


# Failing


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


# Leases


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


# Fairness


async def backlog(process: Process, *, tenants: int, each: int) -> list[Ulid]:
    ids = sorted(new_id() for _ in range(tenants))
    for tenant in ids:
        for number in range(each):
            await process.schedule(f"c{number}", tenant=tenant)
    return ids


async def test_a_tenant_runs_no_more_than_its_cap(process: Process, other: Process) -> None:
    (tenant,) = await backlog(process, tenants=1, each=6)

    first = await process.claim()
    beyond_it = await other.claim()
    await process.done(first[0])
    freed = await other.claim()

    assert [len(first), len(beyond_it), len(freed)] == [4, 0, 1]
    assert {job.tenant for job in first} == {tenant}


async def test_the_jobs_of_a_tenant_run_in_the_order_of_their_times(process: Process) -> None:
    for key, due_in in (("later", -1.0), ("first", -3.0), ("second", -2.0)):
        await process.schedule(key, due_in=due_in)

    assert [job.key for job in await process.claim(limit=2)] == ["first", "second"]


async def test_a_claim_goes_on_with_the_tenant_after_the_last(process: Process) -> None:
    tenants = await backlog(process, tenants=3, each=3)

    served = [(await process.claim(limit=1))[0].tenant for _ in range(7)]

    assert served == [*tenants, *tenants, tenants[0]]


async def test_one_claim_serves_many_tenants_before_one_tenants_backlog(process: Process) -> None:
    tenants = await backlog(process, tenants=3, each=5)

    jobs = await process.claim(limit=9)

    assert [job.tenant for job in jobs] == [
        *([tenants[0]] * 4),
        *([tenants[1]] * 4),
        tenants[2],
    ]


async def test_a_tenant_at_its_cap_does_not_keep_the_next_one_waiting(process: Process) -> None:
    first, second = await backlog(process, tenants=2, each=5)
    await process.claim(limit=4)

    jobs = await process.claim(limit=1)

    assert jobs[0].tenant == second != first


async def test_two_processes_that_claim_at_once_never_take_the_same_job(
    process: Process, other: Process
) -> None:
    await backlog(process, tenants=8, each=4)
    taken: list[Job] = []

    while len(taken) < 32:
        for jobs in await asyncio.gather(*(p.claim(limit=3) for p in (process, other) * 3)):
            taken += jobs

    assert len({(job.tenant, job.key) for job in taken}) == 32
    assert len({job.token for job in taken}) == 32


# The process that commits is told


async def test_a_listener_is_told_of_a_job_once_it_is_committed(process: Process) -> None:
    told: list[tuple[str, float]] = []

    def work(tx: Transaction) -> None:
        process.jobs.schedule(tx, "turn", "c1")
        assert told == []

    with process.jobs.telling(lambda kind, due_in: told.append((kind, due_in))):
        await process.database.transaction(work, tenant=TENANT)

    assert told == [("turn", 0.0)]


async def test_a_listener_is_told_when_an_ended_job_runs_again(process: Process) -> None:
    told: list[float] = []
    await process.schedule()
    job = await process.claim_one()

    with process.jobs.telling(lambda _kind, due_in: told.append(due_in)):
        await process.again(job, due_in=60.0)

    assert told == [pytest.approx(60.0, abs=2)]
