"""What only the sqlite transport does: leases, several processes on one file, quiet idling."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
import time_machine
from sqlalchemy import text

from common.broker.sqlite import records
from common.broker.sqlite.transport import SqliteSubscription, SqliteTransport
from common.broker.transport import Delivery
from common.database import Database, Transaction, open_database
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, Record, Topic, encode
from common.testing import eventually
from common.testing.broker import message
from common.testing.switched_database import SwitchedDatabase
from tests.contract.killed_consumer import kill_one_that_took_a_record_of

LEASE = timedelta(seconds=30)
TOPIC = MESSAGES_RECEIVED.name


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'broker.db'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
        yield database


@pytest.fixture
def transport(database: Database) -> SqliteTransport:
    return SqliteTransport(database, lease_seconds=LEASE.total_seconds())


@asynccontextmanager
async def subscribed(
    transport: SqliteTransport,
    revoked: list[str] | None = None,
    *,
    topics: Sequence[Topic] = (MESSAGES_RECEIVED,),
) -> AsyncGenerator[SqliteSubscription]:
    async def note(shards: Collection[str]) -> None:
        if revoked is not None:
            revoked.extend(shards)

    async with transport.subscribe("processor", topics, note) as subscription:
        yield subscription


async def test_a_record_that_somebody_holds_is_given_to_nobody_else(
    transport: SqliteTransport,
) -> None:
    await transport.publish(record("a"))

    async with subscribed(transport) as one, subscribed(transport) as other:
        held, nothing = await one.fetch(10), await other.fetch(10)

    assert len(held) == 1
    assert nothing == ()


async def test_what_waits_is_what_nobody_was_handed_yet_and_this_process_may_come_to_take(
    transport: SqliteTransport,
) -> None:
    for key in ("a", "a", "a", "b", "b", "c"):
        await transport.publish(record(key))

    async with subscribed(transport) as one, subscribed(transport) as other:
        before = await one.waiting()
        (held,) = await one.fetch(1)
        await other.fetch(1)
        meanwhile = await one.waiting(), await other.waiting()
        await one.acknowledge([held])
        afterwards = await one.waiting()

    assert before == {TOPIC: 6}
    assert meanwhile == ({TOPIC: 2 + 1}, {TOPIC: 1 + 1})
    assert afterwards == {TOPIC: 2 + 1}


async def test_a_lost_lease_returns_and_the_late_token_removes_nothing(
    transport: SqliteTransport, database: Database
) -> None:
    await transport.publish(record("a"))
    async with subscribed(transport) as stopped, subscribed(transport) as successor:
        late = await stopped.fetch(1)
        with time_machine.travel(datetime.now(UTC) + 2 * LEASE):
            again = await successor.fetch(1)
        await stopped.acknowledge(late)
        standing = await count(database)
        await successor.acknowledge(again)

    assert [each.record_id for each in again] == [each.record_id for each in late]
    assert standing == 1
    assert await count(database) == 0


async def test_what_a_killed_process_held_comes_again_when_its_lease_is_over(
    url: str, transport: SqliteTransport
) -> None:
    await transport.publish(record("a"))

    await kill_one_that_took_a_record_of(url)
    async with subscribed(transport) as successor:
        (again,) = await eventually(lambda: successor.fetch(1))

    assert again.record.key == "a"


async def test_leases_are_renewed_while_their_holder_lives(database: Database) -> None:
    transport = SqliteTransport(database, lease_seconds=0.3)
    await transport.publish(record("a"))

    async with subscribed(transport) as holder:
        await holder.fetch(1)
        first = await lease_until(database)
        await eventually(lambda: lease_later_than(database, first + 600_000))


async def test_a_process_that_lost_its_leases_lets_go_of_what_it_had(
    url: str, database: Database
) -> None:
    revoked = list[str]()
    await SqliteTransport(database, lease_seconds=60).publish(record("a"))
    async with open_database(url, pool_size=1, busy_seconds=5.0) as own:
        switched = SwitchedDatabase(own)
        sleeper = SqliteTransport(switched, lease_seconds=0.3)
        async with subscribed(sleeper, revoked) as sleeping:
            (held,) = await sleeping.fetch(1)
            switched.away = True
            async with subscribed(SqliteTransport(database, lease_seconds=60)) as successor:
                await eventually(lambda: successor.fetch(1))
                switched.away = False
                await eventually(lambda: revoked)

    assert revoked == [held.shard]


async def test_leaving_gives_back_at_once_what_was_not_acknowledged(
    transport: SqliteTransport,
) -> None:
    await transport.publish(record("a"))
    async with subscribed(transport) as leaving:
        await leaving.fetch(1)

    async with subscribed(transport) as staying:
        assert len(await staying.fetch(1)) == 1


async def test_another_process_on_the_file_finds_what_this_one_published(
    url: str, transport: SqliteTransport
) -> None:
    async with (
        open_database(url, pool_size=1, busy_seconds=5.0) as own,
        subscribed(SqliteTransport(own, lease_seconds=30)) as elsewhere,
    ):
        waiting = asyncio.create_task(fetched(elsewhere))
        await transport.publish(record("a"))
        found = await waiting

    assert [each.record.key for each in found] == ["a"]


async def test_an_idle_consumer_writes_nothing(url: str, database: Database) -> None:
    transport = SqliteTransport(database, lease_seconds=30)
    async with (
        subscribed(transport) as idle,
        open_database(url, pool_size=1, busy_seconds=5.0) as observer,
    ):
        before = await observer.read(data_version)
        for _ in range(3):
            assert await idle.fetch(10) == ()
        after = await observer.read(data_version)

    assert before == after


async def test_taking_looks_only_at_the_heads_however_much_waits(database: Database) -> None:
    await database.transaction(records.create)

    def plan(tx: Transaction) -> str:
        rows = tx.execute(
            text(
                "explain query plan select seq from records"
                f" where topic = '{TOPIC}' and head and token is null order by seq limit 10"
            )
        )
        return " / ".join(row.detail for row in rows)

    assert await database.read(plan) == "SEARCH records USING INDEX records_free (topic=?)"


async def test_a_head_is_followed_by_the_next_of_its_key(transport: SqliteTransport) -> None:
    for key in ("a", "a", "b", "a"):
        await transport.publish(record(key))

    async with subscribed(transport) as subscription:
        seen = list[list[str]]()
        while deliveries := await subscription.fetch(10):
            seen.append([each.record.key for each in deliveries])
            await subscription.acknowledge(deliveries)

    assert seen == [["a", "b"], ["a"], ["a"]]


async def test_a_topic_that_fills_every_fetch_keeps_no_other_waiting(
    transport: SqliteTransport,
) -> None:
    for number in range(6):
        await transport.publish(record(f"{number}"))
    await transport.publish(replace(record("a"), topic=DELIVERIES_UPDATED.name))

    topics = [MESSAGES_RECEIVED, DELIVERIES_UPDATED]
    async with subscribed(transport, topics=topics) as subscription:
        taken = [*await subscription.fetch(2), *await subscription.fetch(2)]

    assert [each.record.topic for each in taken] == [TOPIC, TOPIC, DELIVERIES_UPDATED.name, TOPIC]


async def test_a_mistake_while_leases_are_renewed_ends_the_reading(database: Database) -> None:
    async def mistaken(_shards: Collection[str]) -> None:
        raise KeyError("a mistake of ours")

    transport = SqliteTransport(database, lease_seconds=0.05)
    await transport.publish(record("a"))

    async with transport.subscribe("processor", [MESSAGES_RECEIVED], mistaken) as subscription:
        await subscription.fetch(1)
        await database.transaction(lambda tx: tx.execute(text("delete from records")))
        with pytest.raises(ExceptionGroup) as raised:
            await eventually(lambda: subscription.fetch(1))

    assert raised.value.subgroup(KeyError) is not None


async def test_leases_that_cannot_be_renewed_are_told_and_renewed_later(
    database: Database,
) -> None:
    switched = SwitchedDatabase(database)
    transport = SqliteTransport(switched, lease_seconds=0.3)
    await transport.publish(record("a"))

    with structlog.testing.capture_logs() as logs:
        async with subscribed(transport) as holder:
            await holder.fetch(1)
            switched.away = True
            await eventually(lambda: logs)
            switched.away = False
            first = await lease_until(database)
            await eventually(lambda: lease_later_than(database, first))

    assert logs[0]["event"] == "leases not renewed"


def record(key: str) -> Record:
    written = encode(message("+55111"))
    return Record(written.topic, key, written.headers, written.value)


async def fetched(subscription: SqliteSubscription) -> list[Delivery]:
    while not (deliveries := await subscription.fetch(10)):
        pass
    return list(deliveries)


async def count(database: Database) -> int:
    return await database.read(
        lambda tx: tx.execute(text("select count(*) from records")).scalar_one()
    )


async def lease_until(database: Database) -> int:
    return await database.read(
        lambda tx: tx.execute(text("select lease_until from records")).scalar_one()
    )


async def lease_later_than(database: Database, moment: int) -> bool:
    return await lease_until(database) > moment


def data_version(tx: Transaction) -> int:
    return tx.execute(text("pragma data_version")).scalar_one()
