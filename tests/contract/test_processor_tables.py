"""What the migration makes: the tables that the code declares, closed to every other tenant."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Dialect, Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from common.accounts import CHANNEL_ACCOUNTS, CONTACT_PERMISSIONS
from common.database import Transaction
from common.database.migrations import upgrade
from common.ids import new_id
from processor.add_document import AddDocument
from processor.add_tenant import AddTenant
from processor.conversation.models import CONVERSATIONS, MESSAGES, REPLY_DELIVERIES, TURNS
from processor.identity.models import CONTACTS, TENANTS
from processor.knowledge.models import DOCUMENTS, PASSAGES
from tests.contract.processor_world import BOTH, World, open_world

DECLARED = (
    *(TENANTS, CONTACTS, CONVERSATIONS, TURNS, MESSAGES, REPLY_DELIVERIES, DOCUMENTS, PASSAGES),
    *(CHANNEL_ACCOUNTS, CONTACT_PERMISSIONS),
)
OF_POSTGRES_ALONE = {"search"}


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres)])
async def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Only Postgres has row-level security."""
    async with open_world(request, tmp_path) as world:
        yield world


async def test_the_tables_are_as_they_are_declared(world: World) -> None:
    declared, real = await world.owner.read(
        lambda tx: (
            {table.name: _declared(table, tx.connection.dialect) for table in DECLARED},
            {table.name: _real(table.name, tx.connection) for table in DECLARED},
        )
    )

    assert real == declared


async def test_every_index_is_led_by_the_tenant(world: World) -> None:
    indexes = await world.owner.read(
        lambda tx: [
            index for table in DECLARED for index in inspect(tx.connection).get_indexes(table.name)
        ]
    )

    assert {index["column_names"][0] for index in indexes} == {"tenant_id"}


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/recado.db"

    await upgrade(url, ["processor"])
    await upgrade(url, ["processor"])


async def test_no_table_but_the_versions_is_open_to_all(guarded: World) -> None:
    unguarded = text("""
        select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
        and not (relrowsecurity and relforcerowsecurity) order by relname
    """)

    names = await guarded.owner.read(lambda tx: tx.execute(unguarded).scalars().all())

    assert names == ["notifier_alembic", "processor_alembic"]


async def test_the_serving_role_sees_and_writes_one_tenant_alone(guarded: World) -> None:
    await guarded.receive("oi")
    other = new_id()
    await AddTenant(guarded.owner)(other, name="Another")

    def counts(tx: Transaction) -> list[int]:
        tables = (TENANTS, CONTACTS, CONVERSATIONS, MESSAGES, CONTACT_PERMISSIONS)
        counted = (tx.execute(select(func.count()).select_from(table)) for table in tables)
        return [result.scalar_one() for result in counted]

    assert await guarded.database.read(counts, tenant=guarded.tenant) == [1, 1, 1, 1, 1]
    assert await guarded.database.read(counts, tenant=other) == [1, 0, 0, 0, 0]
    assert await guarded.database.read(counts) == [0, 0, 0, 0, 0]


async def test_the_serving_role_cannot_write_for_another_tenant(guarded: World) -> None:
    await guarded.receive("oi")
    values = (await guarded.rows(CONTACTS))[0] | {"id": new_id(), "address": "x"}

    with pytest.raises(DBAPIError, match="row-level security"):
        await guarded.database.transaction(
            lambda tx: tx.execute(CONTACTS.insert().values(values)), tenant=new_id()
        )


async def test_the_serving_role_adds_no_tenant(guarded: World) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await AddTenant(guarded.database)(new_id(), name="Mine")


@pytest.mark.parametrize(("title", "text"), [("A", "E?"), ("Horário", "E?"), ("A", "Abrimos.")])
async def test_a_document_may_say_nothing_that_can_be_searched(
    world: World, title: str, text: str
) -> None:
    await AddDocument(world.database)(
        new_id(), tenant=world.tenant, language="pt", title=title, text=text
    )

    (passage,) = await world.rows(PASSAGES)
    assert passage["text"] == text


async def test_a_removed_document_is_found_no_more(world: World) -> None:
    document = new_id()
    await AddDocument(world.database)(
        document, tenant=world.tenant, language="pt", title="Horário", text="Um.\n\nDois."
    )

    await world.database.transaction(
        lambda tx: tx.execute(
            DOCUMENTS.delete().where(
                DOCUMENTS.c.tenant_id == world.tenant, DOCUMENTS.c.id == document
            )
        ),
        tenant=world.tenant,
    )

    assert await world.rows(PASSAGES) == []


async def test_a_message_cannot_be_closed_without_a_reason(world: World) -> None:
    await world.receive("oi")

    with pytest.raises(DBAPIError, match=r"(?i)check"):
        await world.change(CONVERSATIONS, state="closed")


def _declared(table: Table, dialect: Dialect) -> dict[str, Any]:
    return {
        "columns": {c.name: (_kind(c.type, dialect), c.nullable) for c in table.columns},
        "key": [column.name for column in table.primary_key],
        "indexes": {
            str(index.name): ([column.name for column in index.columns], bool(index.unique))
            for index in table.indexes
        },
    }


def _real(name: str, connection: Connection) -> dict[str, Any]:
    inspector = inspect(connection)
    key = inspector.get_pk_constraint(name)["constrained_columns"]
    return {
        "columns": {
            column["name"]: (
                _kind(column["type"], connection.dialect),
                column["nullable"] and column["name"] not in key,
            )
            for column in inspector.get_columns(name)
            if column["name"] not in OF_POSTGRES_ALONE
        },
        "key": key,
        "indexes": {
            index["name"]: (index["column_names"], bool(index["unique"]))
            for index in inspector.get_indexes(name)
            if "duplicates_constraint" not in index
        },
    }


def _kind(column: TypeEngine[Any], dialect: Dialect) -> str:
    """Name a type as the database does; a text is a text whatever it is called."""
    return column.compile(dialect).replace("VARCHAR", "TEXT").split("(")[0]
