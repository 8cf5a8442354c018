"""What an operator does about dead letters, on SQLite and on Postgres."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.broker.dead_letters.letters import REPLAYS_HEADER, DeadLetter, DeadLetters, Reason
from common.broker.dead_letters.office import DeadLetterOffice, Wanted
from common.broker.memory import MemoryTransport
from common.broker.publisher import Publisher
from common.broker.transport import LARGEST_RECORD
from common.errors import DependencyDown, PermanentError
from common.events import MESSAGES_RECEIVED, Event, Record, decode, encode, header
from common.ids import Ulid, new_id
from common.testing.switched_database import SwitchedDatabase
from processor.add_tenant import AddTenant
from tests.contract.processor_world import BOTH, World, open_world

TUESDAY = datetime(2026, 1, 6, 12, tzinfo=UTC)
ALL = Wanted(limit=100)


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
def office(world: World) -> DeadLetterOffice:
    return DeadLetterOffice("processor", world.owner, operator="ana")


@pytest.fixture
def publisher(world: World) -> Publisher:
    return Publisher(world.transport, world.metrics)


# Finding


async def test_letters_of_all_tenants_are_found_in_the_order_in_which_they_were_given_up(
    world: World, office: DeadLetterOffice
) -> None:
    other = new_id()
    await AddTenant(world.owner)(other, name="Another")
    for tenant in (world.tenant, other, None):
        await give_up(world, letter(world.message(), tenant=tenant))

    found = await office.find(ALL)

    assert [each.letter.tenant for each in found] == [world.tenant, other, None]
    assert [each.seq for each in found] == sorted(each.seq for each in found)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ALL, ["undecodable", "permanent", "exhausted"]),
        (Wanted(limit=1), ["undecodable"]),
        (Wanted(limit=9, topic="messages.send"), ["permanent"]),
        (Wanted(limit=9, reason=Reason.EXHAUSTED), ["exhausted"]),
        (Wanted(limit=9, since=TUESDAY), ["permanent", "exhausted"]),
        (Wanted(limit=9, tenant=new_id()), []),
    ],
)
async def test_letters_are_found_by_what_is_said_of_them(
    world: World, office: DeadLetterOffice, wanted: Wanted, expected: list[str]
) -> None:
    of_monday = letter(world.message(), tenant=None, reason=Reason.UNDECODABLE)
    await give_up(world, replace(of_monday, last_failed_at=TUESDAY - timedelta(days=1)))
    sent = letter(world.message(), tenant=world.tenant)
    sent = replace(sent, record=replace(sent.record, topic="messages.send"))
    await give_up(world, sent)
    await give_up(world, letter(world.message(), tenant=world.tenant, reason=Reason.EXHAUSTED))

    found = await office.find(wanted)

    assert [each.letter.reason.name.lower() for each in found] == expected


async def test_a_letter_is_found_by_its_tenant_and_number_as_it_was_written(
    world: World, office: DeadLetterOffice
) -> None:
    kept = letter(world.message(), tenant=world.tenant)
    await give_up(world, letter(world.message(), tenant=None))
    await give_up(world, kept)

    (of_tenant,) = await office.find(Wanted(limit=9, tenant=world.tenant))
    (by_number,) = await office.find(Wanted(limit=9, seq=of_tenant.seq))

    assert of_tenant.letter == by_number.letter == kept


# Replaying


async def test_a_replayed_record_is_the_one_that_came_but_for_a_count(
    world: World, office: DeadLetterOffice, publisher: Publisher
) -> None:
    event = world.message("oi")
    await give_up(world, letter(event, tenant=world.tenant))

    await replay_all(office, publisher)

    (record,) = taken(world.transport)
    assert decode(record) == event
    assert record.headers == (*encode(event).headers, (REPLAYS_HEADER, b"1"))
    assert await office.find(ALL) == []


async def test_a_record_that_is_given_up_again_knows_how_often_it_was_replayed(
    world: World, office: DeadLetterOffice, publisher: Publisher
) -> None:
    await give_up(world, letter(world.message(), tenant=world.tenant))

    for _ in range(2):
        await replay_all(office, publisher)
        (record,) = taken(world.transport)
        await give_up(world, replace(letter(world.message(), tenant=world.tenant), record=record))

    (found,) = await office.find(ALL)
    assert found.letter.replays == 2
    assert header(found.letter.record, REPLAYS_HEADER) == "2"


async def test_the_replay_of_what_was_done_already_does_nothing(
    world: World, office: DeadLetterOffice, publisher: Publisher
) -> None:
    event = await world.receive("oi")
    await give_up(world, letter(event, tenant=world.tenant))

    await replay_all(office, publisher)
    for record in taken(world.transport):
        await world.deliver(decode(record))

    assert [row["text"] for row in await world.messages()] == ["oi"]


async def test_a_replay_that_ends_before_its_commit_is_done_twice_and_harms_nobody(
    world: World, publisher: Publisher, office: DeadLetterOffice
) -> None:
    database = SwitchedDatabase(world.owner)
    cut_short = DeadLetterOffice("processor", database, operator="ana")
    await give_up(world, letter(world.message("oi"), tenant=world.tenant))
    (found,) = await cut_short.find(ALL)

    database.away = True
    with pytest.raises(DependencyDown):
        await cut_short.replay(found, publisher)
    await replay_all(office, publisher)
    records = taken(world.transport)
    for record in records:
        await world.deliver(decode(record))

    assert len(records) == 2
    assert [row["text"] for row in await world.messages()] == ["oi"]
    assert await actions(world) == [("replay", "ana")]


async def test_a_letter_stays_while_the_broker_is_away(
    world: World, office: DeadLetterOffice
) -> None:
    class Away(MemoryTransport):
        async def publish(self, record: Record) -> None:
            raise DependencyDown("kafka", record.topic)

    await give_up(world, letter(world.message(), tenant=world.tenant))

    with pytest.raises(DependencyDown):
        await replay_all(office, Publisher(Away(), world.metrics))

    assert len(await office.find(ALL)) == 1
    assert await actions(world) == []


async def test_a_letter_that_no_broker_takes_stays(
    world: World, office: DeadLetterOffice, publisher: Publisher
) -> None:
    large = letter(world.message(), tenant=world.tenant)
    large = replace(large, record=replace(large.record, value=b"x" * LARGEST_RECORD))
    await give_up(world, large)

    with pytest.raises(PermanentError):
        await replay_all(office, publisher)

    assert len(await office.find(ALL)) == 1


# Who did it


async def test_what_was_done_is_kept_with_who_did_it_and_to_what(
    world: World, office: DeadLetterOffice, publisher: Publisher
) -> None:
    event = world.message()
    await give_up(world, letter(event, tenant=world.tenant))
    await give_up(world, letter(world.message(), tenant=None))

    first, second = await office.find(ALL)
    await office.replay(first, publisher)
    await office.discard(second)

    assert await office.find(ALL) == []
    replayed, discarded = await rows(world, "select * from processor_dead_letter_actions")
    assert (replayed["action"], replayed["operator"]) == ("replay", "ana")
    assert (replayed["topic"], replayed["record_id"]) == ("messages.received", str(event.id))
    assert replayed["event_id"] in {event.id.to_uuid(), event.id.hex}
    assert replayed["at"] is not None
    assert (discarded["action"], discarded["tenant_id"]) == ("discard", None)


@pytest.mark.parametrize("world", BOTH[1:], indirect=True)
async def test_a_serving_process_cannot_write_what_an_operator_did(world: World) -> None:
    forge = text("insert into processor_dead_letter_actions (action) values ('replay')")

    with pytest.raises(DBAPIError, match="permission denied"):
        await world.database.transaction(lambda tx: tx.execute(forge), tenant=world.tenant)


def letter(
    event: Event[Any], *, tenant: Ulid | None, reason: Reason = Reason.PERMANENT
) -> DeadLetter:
    return DeadLetter(
        record=encode(event),
        record_id=str(event.id),
        tenant=tenant,
        reason=reason,
        error_class="RuntimeError",
        detail="no such account",
        attempts=1,
        first_failed_at=TUESDAY,
        last_failed_at=TUESDAY,
    )


async def give_up(world: World, letter: DeadLetter) -> None:
    await DeadLetters("processor", world.database).record(letter)


async def replay_all(office: DeadLetterOffice, publisher: Publisher) -> None:
    for found in await office.find(ALL):
        await office.replay(found, publisher)


def taken(transport: MemoryTransport) -> list[Record]:
    """Take what is on the topic, in its order."""
    records: list[Record] = []
    while deliveries := transport.claim(frozenset((MESSAGES_RECEIVED.name,)), 1):
        records += [delivery.record for delivery in deliveries]
        transport.remove(deliveries[0])
    return records


async def actions(world: World) -> list[tuple[str, str]]:
    noted = await rows(world, "select * from processor_dead_letter_actions order by seq")
    return [(row["action"], row["operator"]) for row in noted]


async def rows(world: World, query: str) -> list[dict[str, Any]]:
    return await world.owner.read(
        lambda tx: [dict(row) for row in tx.execute(text(query)).mappings()]
    )
