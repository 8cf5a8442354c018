"""The owner of the tables is no superuser, and sees every tenant's dead letters and halts."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.dead_letters.office import DeadLetterOffice, Wanted
from common.broker.memory import MemoryTransport
from common.broker.publisher import Publisher
from common.database import Database, Transaction, open_database
from common.database.migrations import upgrade
from common.events import encode
from common.ids import Ulid, new_id
from common.jobs import Jobs
from common.observability.metrics import Metrics
from common.testing.broker import message
from processor.job_kinds import ALL, RESUME
from tests.servers.postgres import PostgresDatabase

LEASE = timedelta(seconds=30)


@pytest.fixture
async def owner_url(postgres_database: PostgresDatabase) -> AsyncIterator[str]:
    """Make what docs/operations.md tells to make."""
    name, password = f"owner_of_{postgres_database.name}", secrets.token_urlsafe()
    admin = await asyncpg.connect(postgres_database.admin_url)
    await admin.execute(f"create role {name} login createrole password '{password}'")
    await admin.execute(f"alter database {postgres_database.name} owner to {name}")
    at = urlsplit(postgres_database.admin_url)
    place = at.netloc.rpartition("@")[2]
    url = at._replace(netloc=f"{name}:{password}@{place}").geturl()
    try:
        await upgrade(url, ("processor", "notifier"))
        yield url
    finally:
        await admin.execute(f"drop owned by {name} cascade")
        await admin.execute(f"alter database {postgres_database.name} owner to current_user")
        await admin.execute(f"drop role {name}")
        await admin.close()


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[Database]:
    async with open_database(owner_url, pool_size=2, busy_seconds=5.0) as database:
        yield database


@pytest.fixture
async def serving(owner: Database, postgres_database: PostgresDatabase) -> AsyncIterator[Database]:
    del owner  # the roles are its migration's
    url = await postgres_database.add_serving_login()
    async with open_database(url, pool_size=2, busy_seconds=5.0) as database:
        yield database


async def test_the_owner_repairs_what_serving_processes_gave_up(
    owner: Database, serving: Database
) -> None:
    tenants = (new_id(), new_id(), None)
    for tenant in tenants:
        await DeadLetters("notifier", serving).record(letter(tenant))
    office = DeadLetterOffice("notifier", owner, operator="ana")
    publisher = Publisher(MemoryTransport(), Metrics(CollectorRegistry()))

    found = await office.find(Wanted(limit=9))
    for each in found:
        await office.replay(each, publisher)

    assert [each.letter.tenant for each in found] == list(tenants)
    assert await office.find(Wanted(limit=9)) == []


async def test_the_owner_resumes_what_serving_processes_stopped(
    owner: Database, serving: Database
) -> None:
    tenant, halts = new_id(), Halts("processor", serving)
    await halts.suspend(tenant, "ten in a row")
    await halts.open_circuit("nothing decodes")
    office = DeadLetterOffice("processor", owner, operator="ana")
    jobs = Jobs("processor", owner, ALL, lease=LEASE, per_tenant=1)

    def schedule(tx: Transaction) -> None:
        jobs.schedule(tx, RESUME, str(tenant))

    standing = [halt.tenant for halt in await office.halts()]
    resumed = [await office.resume(tenant, schedule), await office.resume_consumer()]

    assert standing == [tenant, None]
    assert resumed == [True, True]
    (job,) = await Jobs("processor", serving, ALL, lease=LEASE, per_tenant=1).claim({RESUME: 1})
    assert job.tenant == tenant


def letter(tenant: Ulid | None) -> DeadLetter:
    now = datetime(2026, 1, 6, tzinfo=UTC)
    return DeadLetter(
        record=encode(message("+55111", "oi")),
        record_id=str(new_id()),
        tenant=tenant,
        reason=Reason.PERMANENT,
        error_class="RuntimeError",
        detail="",
        attempts=1,
        first_failed_at=now,
        last_failed_at=now,
    )
