"""Row-level security around jobs: who may do what, and that a claim is one statement."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.util import await_only

from common.database import Database, Transaction
from common.database.doors import create_roles, door, door_access, tenant_policy
from common.ids import Ulid, new_id
from common.jobs import Job
from common.jobs.schema import create_jobs, replace_claim
from common.testing import eventually
from tests.contract.jobs.table import TENANT, JobsTable, Process, postgres_table
from tests.servers.postgres import PostgresDatabase
from tests.unit.common.jobs.shop import Shop

T = TypeVar("T")

CLAIM = "select * from shop_jobs_claim('turn', 10, 4, '00000000-0000-0000-0000-000000000000', 30)"
OLDER_CLAIM = """
do $$ begin
    drop function shop_jobs_claim(text, integer, integer, uuid, double precision);
    create function shop_jobs_claim(text, integer, integer, uuid, double precision)
    returns table (tenant uuid) language sql as 'select null::uuid';
end $$
"""
SLEEP = text("select pg_sleep(30)")
SLEEPERS = (
    "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
)
END_CONNECTIONS = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
RENEW = "select shop_jobs_renew(array[1]::bigint[], 30)"
BACKLOG = "select * from shop_jobs_backlog(array['turn', 'timer'])"


@pytest.fixture
async def table(postgres_database: PostgresDatabase) -> JobsTable:
    return await postgres_table(postgres_database)


@pytest.fixture
async def serving(table: JobsTable) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a serving process."""
    connection = await asyncpg.connect(table.url)
    yield connection
    await connection.close()


async def schedule(table: JobsTable, tenant: Ulid = TENANT) -> None:
    async with table.opened() as database:
        await Process(database).schedule(tenant=tenant)


async def test_a_serving_process_sees_no_job_before_a_tenant_is_known(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await schedule(table)

    assert await serving.fetch("select * from shop_jobs") == []


async def test_a_serving_process_sees_no_job_of_another_tenant(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await schedule(table)

    async with serving.transaction():
        await serving.execute(f"select set_config('app.tenant', '{new_id().to_uuid()}', true)")
        rows = await serving.fetch("select * from shop_jobs")

    assert rows == []


async def test_a_serving_process_cannot_write_a_job_of_another_tenant(
    serving: asyncpg.Connection,
) -> None:
    async with serving.transaction():
        await serving.execute(f"select set_config('app.tenant', '{new_id().to_uuid()}', true)")

        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await serving.execute(
                "insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)"
                f" values ('{TENANT.to_uuid()}', 'turn', 'c1', now(), now())"
            )


async def test_the_claim_is_a_door_that_shows_ids_and_numbers_only(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await schedule(table)

    (row,) = await serving.fetch(CLAIM)

    assert set(row.keys()) == {
        "tenant",
        "job_key",
        "job_token",
        "claims",
        "correlation",
        "lane",
        "late",
    }
    assert row["tenant"] == TENANT.to_uuid()


async def test_the_backlog_is_a_door_that_shows_numbers_only(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await schedule(table)
    await schedule(table, new_id())

    rows = [dict(row) for row in await serving.fetch(BACKLOG)]

    assert [(row["job_kind"], row["due"], row["failed"]) for row in rows] == [
        ("turn", 2, 0),
        ("timer", 0, 0),
    ]
    assert set(rows[0]) == {"job_kind", "due", "overdue", "failed"}


async def test_an_older_claim_is_replaced_and_stays_a_door(table: JobsTable) -> None:
    await schedule(table)
    owner = JobsTable(table.admin_url, table.admin_url)
    await owner.execute(OLDER_CLAIM)

    await owner.execute(*replace_claim("shop", "postgresql"))

    async with table.opened() as database:
        assert (await Process(database).claim_one()).late >= 0


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("call", [CLAIM, RENEW, BACKLOG])
async def test_nobody_but_a_serving_process_goes_through_the_doors(
    postgres_database: PostgresDatabase, call: str
) -> None:
    stranger = await asyncpg.connect(await postgres_database.add_serving_login(group="pg_monitor"))

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function"):
        await stranger.fetch(call)

    await stranger.close()


async def test_a_temporary_table_does_not_stand_in_for_the_jobs(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await schedule(table)
    await serving.execute("create temporary table shop_jobs (like public.shop_jobs)")

    assert len(await serving.fetch(CLAIM)) == 1


async def test_the_role_behind_the_doors_can_do_nothing_else(table: JobsTable) -> None:
    (role,) = await table.execute("select * from pg_roles where rolname = 'recado_doors'")
    may = await table.execute(
        "select has_table_privilege('recado_doors', 'shop_jobs', 'insert, delete') as write,"
        " has_schema_privilege('recado_doors', 'public', 'create') as create"
    )

    powers = ("rolsuper", "rolbypassrls", "rolcanlogin", "rolcreaterole", "rolcreatedb")
    assert [role[power] for power in powers] == [False] * 5
    assert may == [{"write": False, "create": False}]


async def test_a_process_stopped_after_a_reply_holds_no_lock(table: JobsTable) -> None:
    async with table.opened() as database:
        watched = WatchedDatabase(database, table)
        process = Process(watched)
        await process.schedule()

        job = await process.claim_one()
        await process.jobs.renew([job])

    assert watched.states == ["idle", "idle"]


class WatchedDatabase:
    """Notes, before a transaction without tenant is committed, in what state the server has it."""

    def __init__(self, database: Database, table: JobsTable) -> None:
        self._database = database
        self._table = table
        self.states: list[str] = []

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        def watched(tx: Transaction) -> T:
            result = work(tx)
            if tenant is None:
                self.states += await_only(self._states())
            return result

        return await self._database.transaction(watched, tenant=tenant)

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        return await self._database.read(work, tenant=tenant)

    async def _states(self) -> list[str]:
        rows = await self._table.execute(
            "select state from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and query ~ 'shop_jobs_(claim|renew)'"
        )
        return [row["state"] for row in rows]


# The runner


async def test_a_process_that_is_cut_short_inside_a_statement_gives_its_job_back(
    table: JobsTable,
) -> None:
    async with table.opened() as database, table.opened() as others:
        shop, other = Shop(Process(database), table), Process(others)

        async def turn(job: Job) -> None:
            shop.seen.append(job)
            await database.transaction(lambda tx: tx.execute(SLEEP), tenant=job.tenant)

        running = asyncio.create_task(shop.runner({"turn": turn}).run(asyncio.Event()))
        await shop.process.schedule()
        await eventually(lambda: table.execute(SLEEPERS))
        running.cancel()
        await asyncio.wait([running])

        assert [job.attempts for job in await other.claim()] == [1]


async def test_a_process_outlives_the_end_of_its_connections(table: JobsTable) -> None:
    async with table.opened() as database:
        shop = Shop(Process(database), table)

        async with shop.running(shop.done, poll_seconds=0.02):
            await shop.process.schedule("c1")
            await eventually(shop.is_empty)
            await table.execute(END_CONNECTIONS)
            async with table.opened() as others:
                await Process(others).schedule("c2")
            await eventually(shop.is_empty)

    assert [job.key for job in shop.seen] == ["c1", "c2"]


# Migrations


@pytest.fixture
async def owner(postgres_database: PostgresDatabase) -> AsyncIterator[asyncpg.Connection]:
    """One who owns the database and may create roles, and is no superuser."""
    url = await postgres_database.add_serving_login(group="pg_monitor")
    login = str(urlsplit(url).username)
    admin = await asyncpg.connect(postgres_database.admin_url)
    await admin.execute(f"alter role {login} createrole")
    await admin.execute(f"alter database {postgres_database.name} owner to {login}")
    await admin.close()
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_an_owner_who_is_no_superuser_can_migrate(
    postgres_database: PostgresDatabase, owner: asyncpg.Connection
) -> None:
    for statement in (*create_roles(), *create_jobs("shop", "postgresql")):
        await owner.execute(statement)
    url = await postgres_database.add_serving_login()
    table = JobsTable(url, postgres_database.admin_url)
    await schedule(table)

    async with table.opened() as database:
        assert len(await Process(database).claim()) == 1


async def test_the_owner_of_the_table_sees_all_jobs_and_keeps_no_door_open(
    postgres_database: PostgresDatabase, owner: asyncpg.Connection
) -> None:
    for statement in (*create_roles(), *create_jobs("shop", "postgresql")):
        await owner.execute(statement)
    url = await postgres_database.add_serving_login()
    await schedule(JobsTable(url, postgres_database.admin_url))

    assert len(await owner.fetch("select * from shop_jobs")) == 1
    assert not await owner.fetchval("select pg_has_role('recado_doors', 'member')")


async def test_a_door_can_be_replaced_by_a_later_migration(owner: asyncpg.Connection) -> None:
    for statement in (*create_roles(), *greeting("one"), *greeting("two")):
        await owner.execute(statement)

    source = await owner.fetchval("select prosrc from pg_proc where proname = 'greet'")

    assert source == "select 'two'"


async def test_a_door_sees_the_columns_it_was_given_and_no_others(
    table: JobsTable, serving: asyncpg.Connection
) -> None:
    await table.execute(
        "create table secrets (id uuid, tenant_id uuid, secret text)",
        f"insert into secrets values ('{TENANT.to_uuid()}', '{TENANT.to_uuid()}', 'hush')",
        *tenant_policy("secrets", "select"),
        *door_access("secrets", "select", "id, tenant_id"),
        *secrets_door("tenant_id::text"),
    )
    tenant = await serving.fetchval(f"select peek('{TENANT.to_uuid()}')")

    await table.execute(*secrets_door("secret"))

    assert tenant == str(TENANT.to_uuid())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await serving.fetchval(f"select peek('{TENANT.to_uuid()}')")


def greeting(word: str) -> tuple[str, ...]:
    return door(
        f"create or replace function greet() returns text language sql as $$select '{word}'$$",
        "greet()",
    )


def secrets_door(column: str) -> tuple[str, ...]:
    return door(
        "create or replace function peek(account uuid) returns text language plpgsql as"
        f" $$ begin return (select {column} from secrets where id = account); end $$",
        "peek(account uuid)",
    )
