"""Row-level security over the whole schema: nothing forgotten, and no door that is not listed."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.database.migrations import upgrade
from common.ids import new_id
from tests.servers.postgres import PostgresDatabase

DOORS = {
    "account_tenant": "uuid",
    "notifier_dead_letter_insert": "void",
    "notifier_dead_letters_backlog": "record",
    "notifier_jobs_backlog": "record",
    "notifier_jobs_claim": "record",
    "notifier_jobs_renew": "bigint",
    "processor_dead_letter_insert": "void",
    "processor_dead_letters_backlog": "record",
    "processor_jobs_backlog": "record",
    "processor_jobs_claim": "record",
    "processor_jobs_renew": "bigint",
}
TABLES = """
select relname, relrowsecurity and relforcerowsecurity as forced
from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
"""
FUNCTIONS = """
select proname, format_type(prorettype, null) as gives, rolname as owner
from pg_proc join pg_roles on pg_roles.oid = proowner
where pronamespace = 'public'::regnamespace and prosecdef
"""
VERSIONS = {"processor_alembic", "notifier_alembic"}


@pytest.fixture
async def migrated(postgres_database: PostgresDatabase) -> PostgresDatabase:
    await upgrade(postgres_database.admin_url, ("processor", "notifier"))
    return postgres_database


@pytest.fixture
async def owner(migrated: PostgresDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated.admin_url)
    yield connection
    await connection.close()


@pytest.fixture
async def serving(migrated: PostgresDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(await migrated.add_serving_login())
    yield connection
    await connection.close()


async def test_every_table_forces_it(owner: asyncpg.Connection) -> None:
    tables = {row["relname"]: row["forced"] for row in await owner.fetch(TABLES)}

    assert len(tables) > 15
    assert {name for name, forced in tables.items() if not forced} == VERSIONS


async def test_the_doors_are_those_that_are_listed_and_own_nothing_else(
    owner: asyncpg.Connection,
) -> None:
    functions = await owner.fetch(FUNCTIONS)

    assert {row["proname"]: row["gives"] for row in functions} == DOORS
    assert {row["owner"] for row in functions} == {"recado_doors"}
    assert await owner.fetchval(
        "select not rolcanlogin and not rolbypassrls from pg_roles where rolname = 'recado_doors'"
    )


async def test_a_serving_login_sees_and_writes_its_tenants_rows_only(
    owner: asyncpg.Connection, serving: asyncpg.Connection
) -> None:
    tenant, other = new_id().to_uuid(), new_id().to_uuid()
    for one in (tenant, other):
        async with owner.transaction():
            await owner.execute("select set_config('app.tenant', $1, true)", str(one))
            await owner.execute(
                "insert into tenants (tenant_id, name, language, created_at)"
                " values ($1, 'x', 'pt', now())",
                one,
            )

    async with serving.transaction():
        await serving.execute("select set_config('app.tenant', $1, true)", str(tenant))
        seen = await serving.fetch("select tenant_id from tenants")
    assert [row["tenant_id"] for row in seen] == [tenant]
    assert await serving.fetch("select * from tenants") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await serving.execute("insert into tenants values ($1, 'x', 'pt', now())", tenant)


async def test_migrating_twice_changes_nothing(migrated: PostgresDatabase) -> None:
    await upgrade(migrated.admin_url, ("processor", "notifier"))
