"""No tenant keeps another one waiting."""

import asyncio

import pytest

from common.database import Transaction
from common.ids import Ulid, new_id
from common.jobs import Job
from tests.contract.jobs.table import JobsTable, Process

FEW_OR_MANY = pytest.mark.parametrize("each", [5, 100])
"""A claim finds its tenants in two ways."""


async def backlog(process: Process, *, tenants: int, each: int) -> list[Ulid]:
    ids = sorted(new_id() for _ in range(tenants))

    def work(tx: Transaction) -> None:
        for number in range(each):
            process.jobs.schedule(tx, "turn", f"c{number}")

    for tenant in ids:
        await process.database.transaction(work, tenant=tenant)
    return ids


@FEW_OR_MANY
async def test_a_tenant_runs_no_more_than_its_cap(
    process: Process, other: Process, each: int
) -> None:
    (tenant,) = await backlog(process, tenants=1, each=each)

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


@FEW_OR_MANY
async def test_a_claim_goes_on_with_the_tenant_after_the_last(process: Process, each: int) -> None:
    tenants = await backlog(process, tenants=3, each=each)

    served = [(await process.claim(limit=1))[0].tenant for _ in range(7)]

    assert served == [*tenants, *tenants, tenants[0]]


@FEW_OR_MANY
async def test_one_claim_serves_many_tenants_before_one_tenants_backlog(
    process: Process, each: int
) -> None:
    tenants = await backlog(process, tenants=3, each=each)

    jobs = await process.claim(limit=9)

    assert [job.tenant for job in jobs] == [
        *([tenants[0]] * 4),
        *([tenants[1]] * 4),
        tenants[2],
    ]


@FEW_OR_MANY
async def test_a_tenant_at_its_cap_does_not_keep_the_next_one_waiting(
    process: Process, other: Process, each: int
) -> None:
    first, second = await backlog(process, tenants=2, each=each)
    await process.claim(limit=4)

    jobs = await other.claim(limit=1)  # it begins with the first

    assert jobs[0].tenant == second != first


@FEW_OR_MANY
async def test_a_tenant_with_nothing_due_is_passed(
    process: Process, table: JobsTable, each: int
) -> None:
    first, second, third = await backlog(process, tenants=3, each=each)
    later = "9000000000000000" if table.is_sqlite else "'2100-01-01'"
    of_second = f"tenant_id = '{second.to_uuid().hex}'"
    await table.execute(f"update shop_jobs set due_at = {later} where {of_second}")

    served = [(await process.claim(limit=1))[0].tenant for _ in range(3)]

    assert served == [first, third, first]


async def test_two_processes_that_claim_at_once_keep_a_tenant_below_its_cap(
    process: Process, other: Process
) -> None:
    await backlog(process, tenants=1, each=40)
    running: list[Job] = []

    for _ in range(10):
        for jobs in await asyncio.gather(*(p.claim(limit=3) for p in (process, other) * 2)):
            running += jobs
        assert len(running) <= 4
        await process.done(running.pop())


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
