from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Table, inspect, text

from common.accounts import (
    CHANNEL_ACCOUNTS,
    CONTACT_PERMISSIONS,
    Permission,
    create_accounts,
    find_permission,
)
from common.database import Database, Transaction, insert_once, open_database
from common.ids import new_id

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/recado.db"
    async with open_database(url, pool_size=1, busy_seconds=5) as database:
        await database.transaction(create_tables)
        yield database


def create_tables(tx: Transaction) -> None:
    for statement in create_accounts("sqlite"):
        tx.execute(text(statement))


@pytest.mark.parametrize("table", [CHANNEL_ACCOUNTS, CONTACT_PERMISSIONS])
async def test_the_tables_that_migrations_make_are_the_ones_the_code_declares(
    database: Database, table: Table
) -> None:
    def shape(tx: Transaction) -> dict[str, tuple[bool, bool]]:
        found = inspect(tx.connection)
        key = found.get_pk_constraint(table.name)["constrained_columns"]
        return {
            column["name"]: (
                column["nullable"] and column["name"] not in key,
                column["name"] in key,
            )
            for column in found.get_columns(table.name)
        }

    declared = {column.name: (column.nullable, column.primary_key) for column in table.columns}

    assert await database.read(shape) == declared


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_each_string_is_one_statement(dialect: str) -> None:
    for statement in create_accounts(dialect):
        outside_of_bodies = statement.split("begin")[0]
        assert ";" not in outside_of_bodies


async def test_a_permission_is_found_for_its_tenant_sender_and_address_only(
    database: Database,
) -> None:
    tenant = new_id()
    row = {"tenant_id": tenant, "sender": "s", "address": "a", "last_inbound_at": NOON}
    await database.transaction(lambda tx: insert_once(tx, CONTACT_PERMISSIONS, row))

    found = await database.read(lambda tx: find_permission(tx, "s", "a"), tenant=tenant)
    assert found == Permission(opted_out_at=None, last_inbound_at=NOON)

    for sender, address, other in (("s", "b", tenant), ("t", "a", tenant), ("s", "a", new_id())):

        def find(tx: Transaction, sender: str = sender, address: str = address) -> object:
            return find_permission(tx, sender, address)

        assert await database.read(find, tenant=other) is None
    assert await database.read(lambda tx: find_permission(tx, "s", "a")) is None
