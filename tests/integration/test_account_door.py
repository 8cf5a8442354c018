"""The door through row-level security by which a channel account is found, as a serving process."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import Table, insert, inspect, select, text
from sqlalchemy.exc import ProgrammingError

from common.accounts import (
    CHANNEL_ACCOUNTS,
    CONTACT_PERMISSIONS,
    AccountRegistry,
    ChannelAccount,
    Permission,
    SecretCipher,
    create_accounts,
    find_permission,
    row_of,
)
from common.database import Database, Transaction, insert_once, open_database
from common.database.doors import create_roles
from common.errors import DependencyDown
from common.ids import new_id
from common.testing.channel_accounts import new_channel_account, store_channel_account
from tests.servers.postgres import PostgresDatabase
from tests.servers.processes import free_ports

CIPHER = SecretCipher({"k1": os.urandom(32)})
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOOR = text("select account_tenant(:account)")


@pytest.fixture
async def admin(postgres_database: PostgresDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_database.admin_url)
    for statement in (*create_roles(), *create_accounts("postgresql")):
        await connection.execute(statement)
    yield connection
    await connection.close()


@pytest.fixture
async def database(
    admin: asyncpg.Connection, postgres_database: PostgresDatabase
) -> AsyncIterator[Database]:
    """The database as a serving process sees it; `admin` has made its tables."""
    assert admin is not None
    url = await postgres_database.add_serving_login()
    async with open_database(url, pool_size=2, busy_seconds=5) as database:
        yield database


@pytest.fixture
async def account(database: Database) -> ChannelAccount:
    account = new_channel_account()
    await store_channel_account(database, account, CIPHER)
    return account


def rows_of(table: Table, tx: Transaction) -> int:
    return len(tx.execute(select(table)).all())


async def test_an_account_is_found_by_its_id_alone(
    database: Database, account: ChannelAccount
) -> None:
    registry = AccountRegistry(database, CIPHER)

    assert await registry.find(account.id) == account
    assert await registry.find(new_id()) is None
    await registry.check()


async def test_accounts_of_others_are_hidden(database: Database, account: ChannelAccount) -> None:
    def seen(tx: Transaction) -> int:
        return rows_of(CHANNEL_ACCOUNTS, tx)

    assert await database.read(seen, tenant=account.tenant) == 1
    assert await database.read(seen, tenant=new_id()) == 0
    assert await database.read(seen) == 0


async def test_the_door_gives_the_tenant_and_nothing_else(
    database: Database, account: ChannelAccount
) -> None:
    rows = await database.read(
        lambda tx: tx.execute(DOOR, {"account": account.id.to_uuid()}).all(), tenant=new_id()
    )

    assert rows == [(account.tenant.to_uuid(),)]


async def test_an_account_of_another_tenant_cannot_be_written(database: Database) -> None:
    row = row_of(new_channel_account(), CIPHER, NOON)

    def write(tx: Transaction) -> None:
        tx.execute(insert(CHANNEL_ACCOUNTS).values(row))

    with pytest.raises(ProgrammingError, match="row-level security"):
        await database.transaction(write, tenant=new_id())
    with pytest.raises(ProgrammingError, match="row-level security"):
        await database.transaction(write)


async def test_a_table_of_the_callers_own_does_not_bend_the_door(
    database: Database, account: ChannelAccount
) -> None:
    def bent(tx: Transaction) -> object:
        tx.execute(text("create temp table channel_accounts (id uuid, tenant_id uuid)"))
        forged = {"account": account.id.to_uuid(), "tenant": new_id().to_uuid()}
        tx.execute(text("insert into pg_temp.channel_accounts values (:account, :tenant)"), forged)
        tx.execute(text("set local search_path = pg_temp, public"))
        return tx.execute(DOOR, {"account": account.id.to_uuid()}).scalar_one()

    assert await database.transaction(bent) == account.tenant.to_uuid()


async def test_whoever_serves_nothing_cannot_use_the_door(
    admin: asyncpg.Connection, postgres_database: PostgresDatabase, account: ChannelAccount
) -> None:
    assert admin is not None
    url = await postgres_database.add_serving_login(group="pg_monitor")
    stranger = await asyncpg.connect(url)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stranger.fetch("select account_tenant($1)", account.id.to_uuid())
    await stranger.close()


@pytest.mark.parametrize(
    ("statement", "is_allowed"),
    [
        ("select id, tenant_id from channel_accounts", True),
        ("select auth_tokens from channel_accounts", False),
        ("select account_sid from channel_accounts", False),
        ("update channel_accounts set account_sid = ''", False),
        ("delete from channel_accounts", False),
        ("select * from contact_permissions", False),
    ],
)
async def test_the_doors_role_can_do_nothing_else(
    admin: asyncpg.Connection, statement: str, *, is_allowed: bool
) -> None:
    await admin.execute("set role recado_doors")

    if is_allowed:
        await admin.fetch(statement)
    else:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admin.fetch(statement)


async def test_a_serving_process_cannot_become_the_doors_role(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await database.transaction(lambda tx: tx.execute(text("set role recado_doors")))


async def test_permissions_are_read_within_their_tenant(database: Database) -> None:
    tenant = new_id()
    row = {"tenant_id": tenant, "sender": "s", "address": "a", "opted_out_at": NOON}
    await database.transaction(lambda tx: insert_once(tx, CONTACT_PERMISSIONS, row), tenant=tenant)

    def find(tx: Transaction) -> Permission | None:
        return find_permission(tx, "s", "a")

    assert await database.read(find, tenant=tenant) == Permission(NOON, None)
    assert await database.read(find, tenant=new_id()) is None
    assert await database.read(find) is None
    assert await database.read(lambda tx: rows_of(CONTACT_PERMISSIONS, tx)) == 0


@pytest.mark.parametrize("table", [CHANNEL_ACCOUNTS, CONTACT_PERMISSIONS])
async def test_the_tables_are_the_ones_the_code_declares(database: Database, table: Table) -> None:
    def shape(tx: Transaction) -> dict[str, bool]:
        columns = inspect(tx.connection).get_columns(table.name)
        return {column["name"]: column["nullable"] for column in columns}

    assert await database.read(shape) == {column.name: column.nullable for column in table.columns}


async def test_a_server_that_is_not_there_is_a_dependency_that_is_down() -> None:
    (port,) = free_ports(1)
    url = f"postgresql://recado:recado@127.0.0.1:{port}/recado"
    async with open_database(url, pool_size=1, busy_seconds=1) as database:
        registry = AccountRegistry(database, CIPHER)

        with pytest.raises(DependencyDown):
            await registry.find(new_id())
        with pytest.raises(DependencyDown):
            await registry.check()
