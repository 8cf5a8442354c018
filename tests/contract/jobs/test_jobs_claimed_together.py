"""A process asks for jobs of several kinds in one go, and each kind keeps its own rules."""

from collections import Counter

from common.ids import Ulid, new_id
from common.jobs.job import JobName
from tests.contract.jobs.table import TENANT, JobsTable, Process

HOUR = 3600.0


async def test_kinds_are_claimed_together_each_up_to_its_limit(process: Process) -> None:
    for key in ("c1", "c2", "c3"):
        for kind in ("turn", "publish", "timer"):
            await process.schedule(key, kind=kind)

    jobs = await process.claim_each(turn=2, publish=9)

    assert Counter(job.kind for job in jobs) == {"turn": 2, "publish": 3}
    assert len({job.token for job in jobs}) == 5


async def test_a_kind_of_which_nothing_is_due_does_not_hold_up_the_others(process: Process) -> None:
    await process.schedule("later", kind="publish", due_in=HOUR)
    await process.schedule(kind="timer")

    jobs = await process.claim_each(turn=1, publish=1, timer=1)

    assert [job.name for job in jobs] == [JobName("timer", TENANT, "c1")]


async def test_what_was_lost_of_any_kind_comes_back(process: Process, table: JobsTable) -> None:
    for kind in ("turn", "publish"):
        await process.schedule(kind=kind)
    lost = await process.claim_each(turn=1, publish=1)
    await table.expire_leases()

    jobs = await process.claim_each(turn=1, publish=1)

    assert [job.name for job in jobs] == [job.name for job in lost]
    assert min(job.token for job in jobs) > max(job.token for job in lost)


async def test_each_kind_goes_round_the_tenants_from_where_it_stopped(process: Process) -> None:
    first, second, third = sorted(new_id() for _ in range(3))
    for tenant in (first, second, third):
        for kind in ("turn", "publish"):
            await process.schedule("c1", kind=kind, tenant=tenant)
    await process.claim(limit=1)

    served: dict[str, list[Ulid]] = {"turn": [], "publish": []}
    for _ in range(2):
        for job in await process.claim_each(turn=1, publish=1):
            served[job.kind].append(job.tenant)

    assert served == {"turn": [second, third], "publish": [first, second]}


async def test_the_cap_of_a_tenant_is_that_of_one_kind(process: Process, other: Process) -> None:
    for number in range(6):
        for kind in ("turn", "publish"):
            await process.schedule(f"c{number}", kind=kind)
    await other.claim(limit=3)

    jobs = await process.claim_each(turn=9, publish=9)

    assert Counter(job.kind for job in jobs) == {"turn": 1, "publish": 4}


async def test_the_next_claim_begins_behind_the_last_tenant_of_this_one(process: Process) -> None:
    tenants = sorted(new_id() for _ in range(3))
    for tenant in tenants:
        await process.schedule("first", tenant=tenant)
    await process.claim_each(turn=2, publish=2)
    for tenant in tenants:
        await process.schedule("second", tenant=tenant)

    (job,) = await process.claim_each(turn=1, publish=1)

    assert job.tenant == tenants[2]
