"""Failed jobs of all tenants, as an operator sees them on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from common.database import open_database
from common.ids import Ulid, new_id
from common.jobs.failed import FailedJobs, Wanted
from tests.contract.jobs.table import TENANT, JobsTable, Process

ALL = Wanted(limit=10)


@pytest.fixture
async def failed(table: JobsTable) -> AsyncIterator[FailedJobs]:
    async with open_database(table.admin_url, pool_size=1, busy_seconds=5.0) as database:
        yield FailedJobs("shop", database)


async def fail(process: Process, key: str, tenant: Ulid = TENANT) -> None:
    await process.schedule(key, tenant=tenant)
    (job,) = await process.claim()
    await process.jobs.fail(job, f"a fault of {key}")


async def test_those_of_all_tenants_are_found_the_earliest_first(
    process: Process, failed: FailedJobs
) -> None:
    await fail(process, "c1")
    await fail(process, "c2", tenant=new_id())
    await process.schedule("waiting")

    found = await failed.find(ALL)

    assert [(job.key, job.reason) for job in found] == [
        ("c1", "a fault of c1"),
        ("c2", "a fault of c2"),
    ]
    assert datetime.now(UTC) - found[0].failed_at < timedelta(minutes=1)


async def test_what_is_wanted_narrows_them(process: Process, failed: FailedJobs) -> None:
    other = new_id()
    await fail(process, "c1")
    await fail(process, "c2", tenant=other)
    later = datetime.now(UTC) + timedelta(hours=1)

    by_tenant = await failed.find(Wanted(10, tenant=other, kind="turn", key="c2"))

    assert [job.key for job in by_tenant] == ["c2"]
    assert await failed.find(Wanted(10, since=later)) == []
    assert len(await failed.find(Wanted(1))) == 1


async def test_a_retried_one_runs_now_as_if_nothing_had_failed(
    process: Process, failed: FailedJobs
) -> None:
    await fail(process, "c1")
    (found,) = await failed.find(ALL)

    first, second = await failed.retry(found), await failed.retry(found)

    assert (first, second) == (True, False)
    assert (await process.claim_one()).attempts == 1
    assert await failed.find(ALL) == []


async def test_one_that_was_revived_meanwhile_is_not_dropped(
    process: Process, failed: FailedJobs
) -> None:
    await fail(process, "c1")
    (found,) = await failed.find(ALL)
    await process.schedule("c1")

    dropped = await failed.drop(found)

    assert not dropped
    assert len(await process.claim()) == 1
