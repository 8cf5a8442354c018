"""What row-level security sees of a transaction over Postgres: its own tenant, never another's."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from common.database import Database, Transaction, open_database
from common.ids import Ulid, new_id
from tests.servers.postgres import PostgresDatabase

TENANT = text("select nullif(current_setting('app.tenant', true), '')")


@pytest.fixture
async def database(postgres_database: PostgresDatabase) -> AsyncIterator[Database]:
    """One of a single connection, which all transactions share."""
    async with open_database(postgres_database.admin_url, pool_size=1, busy_seconds=5.0) as opened:
        yield opened


def tenant_seen(tx: Transaction) -> str | None:
    return tx.execute(TENANT).scalar_one()


def named(tenant: Ulid) -> str:
    return str(tenant.to_uuid())


async def test_each_transaction_sees_its_tenant(database: Database) -> None:
    one, other = new_id(), new_id()

    assert await database.transaction(tenant_seen, tenant=one) == named(one)
    assert await database.transaction(tenant_seen, tenant=other) == named(other)
    assert await database.read(tenant_seen, tenant=one) == named(one)


async def test_a_connection_carries_no_tenant_into_the_next_transaction(
    database: Database,
) -> None:
    await database.transaction(tenant_seen, tenant=new_id())

    assert await database.transaction(tenant_seen) is None
    assert await database.read(tenant_seen) is None


async def test_a_transaction_that_failed_leaves_no_tenant_behind(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        tenant_seen(tx)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transaction(fail, tenant=new_id())

    assert await database.transaction(tenant_seen) is None
