"""Outbox and dead letters on SQLite and on Postgres, there as a serving process sees them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.outbox import Outbox, OutboxRow, publish_key
from common.broker.schema import (
    create_dead_letters,
    create_halts,
    create_outbox,
    number_dead_letters,
)
from common.broker.transport import LARGEST_RECORD
from common.database import Database, Transaction, open_database
from common.database.doors import create_roles
from common.errors import PermanentError
from common.events import Event, encode
from common.ids import Ulid, new_id
from common.testing.broker import TENANT, message
from tests.servers.postgres import PostgresDatabase

OUTBOX = Outbox("shop")
OF_OLDER_VERSION = """
insert into old_dead_letters values
    ('t', 'z', null, 'k', '[]', x'31', 'undecodable', 'E', 'd', 0, 0, 0),
    ('t', 'a', null, 'k', '[]', x'32', 'undecodable', 'E', 'd', 0, 0, 0)
"""


@dataclass(frozen=True)
class Tables:
    """`database` is a serving process'; `admin_url` is the owner's, None on SQLite."""

    database: Database
    admin_url: str | None

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All of them, whosever they are."""
        if self.admin_url is None:
            return await self.database.read(
                lambda tx: [
                    dict(row) for row in tx.execute(text(f"select * from {table}")).mappings()
                ]
            )
        connection = await asyncpg.connect(self.admin_url)
        try:
            return [dict(row) for row in await connection.fetch(f"select * from {table}")]
        finally:
            await connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresDatabase | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_database")


@pytest.fixture
async def tables(server: PostgresDatabase | None, tmp_path: Path) -> AsyncIterator[Tables]:
    if server is None:
        url, admin_url = f"sqlite:///{tmp_path / 'shop.db'}", None
    else:
        await create_on_postgres(server)
        url, admin_url = await server.add_serving_login(), server.admin_url
    async with open_database(url, pool_size=2, busy_seconds=5.0) as database:
        if server is None:
            await database.transaction(create_on_sqlite)
        yield Tables(database, admin_url)


async def create_on_postgres(server: PostgresDatabase) -> None:
    connection = await asyncpg.connect(server.admin_url)
    try:
        for statement in (
            *create_roles(),
            *created("postgresql"),
        ):
            await connection.execute(statement)
    finally:
        await connection.close()


def create_on_sqlite(tx: Transaction) -> None:
    for statement in created("sqlite"):
        tx.execute(text(statement))


def created(dialect: str) -> Iterator[str]:
    for create in (create_outbox, create_dead_letters, number_dead_letters, create_halts):
        yield from create("shop", dialect)


# Outbox


async def test_what_was_appended_is_pending_in_sequence_until_it_is_forgotten(
    tables: Tables,
) -> None:
    events = [message("+55111", words) for words in ("one", "two", "three")]
    for event in events:
        await append(tables, event)

    first, *_ = before = await pending(tables, events[0])
    await forget(tables, [first])
    after = await pending(tables, events[0])

    assert [row.record for row in before] == [encode(event) for event in events]
    assert after == before[1:]


async def test_a_sequence_is_never_used_again(tables: Tables) -> None:
    event = message("+55111")
    await append(tables, event)
    (published,) = await pending(tables, event)
    await forget(tables, [published])

    await append(tables, event)
    await forget(tables, [published])

    assert len(await pending(tables, event)) == 1, "forgetting twice forgot another's row"


async def test_a_transaction_that_fails_publishes_nothing(tables: Tables) -> None:
    def fail(tx: Transaction) -> None:
        OUTBOX.append(tx, message("+55111"))
        raise RuntimeError("on second thought")

    with pytest.raises(RuntimeError):
        await tables.database.transaction(fail, tenant=TENANT)

    assert await tables.rows("shop_outbox") == []


async def test_one_tenant_sees_nothing_of_another_s_outbox(tables: Tables) -> None:
    event, other = message("+55111"), new_id()
    await append(tables, event)
    rows = await pending(tables, event)

    seen = await pending(tables, event, tenant=other)
    await forget(tables, rows, tenant=other)

    assert seen == []
    assert len(await pending(tables, event)) == 1


async def test_an_event_of_another_tenant_is_a_mistake(tables: Tables) -> None:
    with pytest.raises(ValueError, match="in a transaction of"):
        await tables.database.transaction(
            lambda tx: OUTBOX.append(tx, message("+55111")), tenant=new_id()
        )


async def test_an_event_too_large_to_send_is_not_taken_in(tables: Tables) -> None:
    with pytest.raises(PermanentError, match="is the limit"):
        await append(tables, message("+55111", "x" * LARGEST_RECORD))


# Dead letters


async def test_a_dead_letter_keeps_the_record_as_it_came_and_why(tables: Tables) -> None:
    letter = dead_letter(tenant=TENANT)

    await DeadLetters("shop", tables.database).record(letter)

    (row,) = await tables.rows("shop_dead_letters")
    assert row["value"] == letter.record.value
    assert row["record_id"] == letter.record_id
    assert (row["reason"], row["error_class"]) == ("retries used up", "RuntimeError")
    assert (row["detail"], row["attempts"]) == ("no\N{REPLACEMENT CHARACTER} way", 3)


async def test_the_same_record_is_one_row_whatever_came_of_it_later(tables: Tables) -> None:
    dead_letters = DeadLetters("shop", tables.database)
    letter = dead_letter(tenant=TENANT)

    await dead_letters.record(letter)
    await dead_letters.record(replace(letter, attempts=9))
    await dead_letters.record(replace(letter, record_id="another"))

    assert sorted(row["attempts"] for row in await tables.rows("shop_dead_letters")) == [3, 3]


async def test_what_follows_from_a_dead_letter_is_written_with_it_and_once(tables: Tables) -> None:
    dead_letters, event = DeadLetters("shop", tables.database), message("+55111")
    letter = dead_letter(tenant=TENANT)

    for _ in range(2):
        await dead_letters.record(letter, lambda tx: OUTBOX.append(tx, event))

    assert len(await pending(tables, event)) == 1


async def test_a_dead_letter_is_not_written_without_what_follows_from_it(tables: Tables) -> None:
    def fail(_tx: Transaction) -> None:
        raise RuntimeError("on second thought")

    with pytest.raises(RuntimeError):
        await DeadLetters("shop", tables.database).record(dead_letter(tenant=TENANT), fail)

    assert await tables.rows("shop_dead_letters") == []


async def test_a_record_that_could_not_be_decoded_needs_no_tenant(tables: Tables) -> None:
    dead_letters = DeadLetters("shop", tables.database)
    letter = dead_letter(tenant=None)

    await dead_letters.record(letter)
    await dead_letters.record(letter)

    (row,) = await tables.rows("shop_dead_letters")
    assert row["tenant_id"] is None
    assert row["value"] == letter.record.value


async def test_a_number_of_a_dead_letter_is_never_used_again(tables: Tables) -> None:
    dead_letters = DeadLetters("shop", tables.database)
    letter = dead_letter(tenant=TENANT)
    numbers: list[int] = []

    for _ in range(2):
        await dead_letters.record(letter)
        (row,) = await tables.rows("shop_dead_letters")
        numbers.append(row["seq"])
        await tables.database.transaction(
            lambda tx: dead_letters.remove(tx, numbers[-1]), tenant=TENANT
        )

    assert numbers[0] < numbers[1]
    assert await tables.rows("shop_dead_letters") == []


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)  # Postgres just adds a column
async def test_dead_letters_of_an_older_version_get_numbers_in_their_order(
    tables: Tables,
) -> None:
    def older(tx: Transaction) -> None:
        for statement in create_dead_letters("old", "sqlite"):
            tx.execute(text(statement))
        tx.execute(text(OF_OLDER_VERSION))
        for statement in number_dead_letters("old", "sqlite"):
            tx.execute(text(statement))

    await tables.database.transaction(older)
    await DeadLetters("old", tables.database).record(dead_letter(tenant=TENANT))

    rows = await tables.rows("old_dead_letters")
    assert [(row["seq"], row["record_id"]) for row in rows[:2]] == [(1, "z"), (2, "a")]
    assert [row["value"] for row in rows] == [b"1", b"2", b"\x00\xff"]


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
async def test_a_serving_process_reads_no_dead_letter_without_its_tenant(tables: Tables) -> None:
    dead_letters = DeadLetters("shop", tables.database)
    for tenant in (None, TENANT):
        await dead_letters.record(replace(dead_letter(tenant=tenant), record_id=f"{tenant}"))

    assert await seen_by(tables, None) == 0
    assert await seen_by(tables, new_id()) == 0
    assert await seen_by(tables, TENANT) == 1


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
async def test_the_door_cannot_write_into_a_tenant(tables: Tables) -> None:
    insert = text("insert into shop_dead_letters (topic, record_id) values ('t', 'r')")

    with pytest.raises(DBAPIError, match="row-level security"):
        await tables.database.transaction(lambda tx: tx.execute(insert))


def dead_letter(*, tenant: Ulid | None) -> DeadLetter:
    record = encode(message("+55\x00111"))
    return DeadLetter(
        record=replace(record, value=b"\x00\xff", headers=(("ce\x00", b"\xff"),)),
        record_id="3/17@1700000000000",
        tenant=tenant,
        reason=Reason.EXHAUSTED,
        error_class="RuntimeError",
        detail="no\x00 way",
        attempts=3,
        first_failed_at=datetime(2026, 1, 1, tzinfo=UTC),
        last_failed_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


async def append(tables: Tables, event: Event[Any]) -> None:
    await tables.database.transaction(lambda tx: OUTBOX.append(tx, event), tenant=event.tenant)


async def pending(tables: Tables, event: Event[Any], *, tenant: Ulid = TENANT) -> list[OutboxRow]:
    return await tables.database.read(
        lambda tx: OUTBOX.pending(tx, publish_key(event.payload.key), limit=10), tenant=tenant
    )


async def forget(tables: Tables, rows: list[OutboxRow], *, tenant: Ulid = TENANT) -> None:
    await tables.database.transaction(lambda tx: OUTBOX.forget(tx, rows), tenant=tenant)


async def seen_by(tables: Tables, tenant: Ulid | None) -> int:
    count = text("select count(*) from shop_dead_letters")
    return await tables.database.read(lambda tx: tx.execute(count).scalar_one(), tenant=tenant)
