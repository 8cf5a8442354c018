"""What the engine promises, over every transport: each runs the whole of this file."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from common.backoff import upper_end
from common.broker.connect import open_transport
from common.broker.engine.retry import RetryPolicy
from common.broker.publisher import Publisher
from common.broker.transport import LARGEST_RECORD, Transport
from common.database import Database
from common.errors import DependencyDown, PermanentError
from common.events import MESSAGES_RECEIVED, Event, Record, encode
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    dead_letters_in,
    engine_of,
    message,
    running,
)
from tests.contract.watched_transport import WatchedTransport

pytestmark = pytest.mark.usefixtures("quiet")

WITHIN = 20.0  # seconds: a group of Kafka's takes its time to form


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> BrokerSettings:
    if request.param == "kafka":
        cluster = request.getfixturevalue("kafka_server")
        return BrokerSettings(url=f"kafka://{cluster.bootstrap}/{new_id()}", partitions=3)
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'broker.db'}"}
    return BrokerSettings(url=urls[request.param], lease_seconds=5.0)


@pytest.fixture
async def transport(settings: BrokerSettings) -> AsyncIterator[Transport]:
    async with open_transport(settings) as transport:
        yield transport


@pytest.fixture
def publisher(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))


async def test_records_of_a_key_come_one_at_a_time_in_order_and_keys_in_parallel(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    async def take_some_time(_event: Event[Any]) -> None:
        await asyncio.sleep(random.uniform(0, 0.01))

    handler = RememberingHandler(take_some_time)
    contacts = [f"+5511{number}" for number in range(12)]
    for number in range(20):
        await asyncio.gather(*(publisher.publish(message(each, f"{number}")) for each in contacts))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: len(handler.finished) == 240, within=WITHIN)

    assert not handler.overlapped
    assert handler.most_at_once > 1
    assert all(handler.words_of(each) == [f"{n}" for n in range(20)] for each in contacts)


async def test_nothing_of_two_thousand_records_is_lost_or_repeated(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler()
    words = [f"{number}" for number in range(2000)]

    async with running(engine_of(transport, handler, database, concurrency=64)):
        for start in range(0, 2000, 100):
            batch = (message(f"+{n}", words[n]) for n in range(start, start + 100))
            await asyncio.gather(*(publisher.publish(each) for each in batch))
        await eventually(lambda: len(handler.finished) >= 2000, within=30)

    assert sorted(words) == sorted(text for _, text in handler.finished)


async def test_what_a_dead_consumer_had_not_finished_comes_again(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    async def never_end(_event: Event[Any]) -> None:
        await asyncio.Event().wait()

    dying, living = RememberingHandler(never_end), RememberingHandler()
    for words in ("first", "second"):
        await publisher.publish(message("+55111", words))

    async with running(engine_of(transport, dying, database)) as task:
        await eventually(lambda: dying.begun, within=WITHIN)
        task.cancel()
    async with running(engine_of(transport, living, database)):
        await eventually(lambda: len(living.finished) == 2, within=WITHIN)

    assert dying.begun == [("+55111", "first")]
    assert living.words_of("+55111") == ["first", "second"]


class Punctual(RetryPolicy):
    """Without jitter."""

    def delay(self, attempts: int, failing_for: float) -> float | None:
        given_up = super().delay(attempts, failing_for) is None
        return None if given_up else upper_end(self.first, self.longest, attempts)


async def test_a_failing_record_is_tried_again_after_its_back_off_while_others_go_on(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    begun: list[float] = []

    async def fail_twice(event: Event[Any]) -> None:
        if event.payload.contact == "+55111":
            begun.append(asyncio.get_running_loop().time())
            if len(begun) < 3:
                raise RuntimeError("not yet")

    handler = RememberingHandler(fail_twice)
    policy = Punctual(attempts=3, first=0.3, longest=10.0)
    for words in ("failing", "behind it"):
        await publisher.publish(message("+55111", words))
    await publisher.publish(message("+55222", "beside it"))

    async with running(engine_of(transport, handler, database, policy=policy, concurrency=1)):
        await eventually(lambda: len(handler.finished) == 3, within=WITHIN)

    first_wait, second_wait = (later - earlier for earlier, later in itertools.pairwise(begun[:3]))
    assert first_wait >= 0.3
    assert second_wait >= 0.6
    assert handler.finished == [
        ("+55222", "beside it"),
        ("+55111", "failing"),
        ("+55111", "behind it"),
    ]
    assert await dead_letters_in(database) == []


async def test_the_consumer_pauses_as_a_whole_while_a_dependency_is_away_and_goes_on_by_itself(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    away, failed_once = True, False

    async def need_it(_event: Event[Any]) -> None:
        nonlocal failed_once
        if away:
            raise DependencyDown("postgres", "connection refused")
        if not failed_once:
            failed_once = True
            raise RuntimeError("the first of two attempts that are allowed")

    handler = RememberingHandler(need_it)
    policy = RetryPolicy(attempts=2, first=0.01, longest=0.01)
    contacts = [f"+5511{number}" for number in range(6)]
    for number in range(3):
        await asyncio.gather(*(publisher.publish(message(each, f"{number}")) for each in contacts))
    engine = engine_of(transport, handler, database, policy=policy, concurrency=2)

    async with running(engine):
        await eventually(lambda: len(handler.begun) >= 4, within=WITHIN)
        reason, tried = await engine.ready(), {contact for contact, _ in handler.begun}
        away = False
        await eventually(lambda: len(handler.finished) == 18, within=WITHIN)
        ready_again = await engine.ready()

    assert reason == "postgres is away: connection refused"
    assert len(tried) <= 2, "while it is paused only the records that met the outage are tried"
    assert ready_again is None
    assert all(handler.words_of(each) == ["0", "1", "2"] for each in contacts)
    assert await dead_letters_in(database) == []


async def test_a_record_that_cannot_be_handled_becomes_a_dead_letter_and_its_key_goes_on(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    async def refuse(event: Event[Any]) -> None:
        if event.payload.text == "refused":
            raise PermanentError("no such account")
        if event.payload.text == "failing":
            raise RuntimeError("always")

    handler = RememberingHandler(refuse)
    undecodable = replace(encode(message("+55111")), value=b"\xff\x00 not JSON")
    await publisher.publish_record(undecodable)
    for words in ("refused", "failing", "fine"):
        await publisher.publish(message("+55111", words))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: handler.finished, within=WITHIN)

    letters = await dead_letters_in(database)
    assert handler.finished == [("+55111", "fine")]
    assert [(row["reason"], row["error_class"], row["attempts"]) for row in letters] == [
        ("undecodable", "UndecodableError", 0),
        ("permanent failure", "PermanentError", 1),
        ("retries used up", "RuntimeError", 3),
    ]
    assert letters[0]["value"] == undecodable.value
    assert letters[0]["tenant_id"] is None
    assert letters[2]["first_failed_at"] < letters[2]["last_failed_at"]
    assert len({row["record_id"] for row in letters}) == 3


async def test_stopping_finishes_what_is_running_and_leaves_the_rest_untouched(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    may_end = asyncio.Event()

    async def wait(_event: Event[Any]) -> None:
        await may_end.wait()

    first, second = RememberingHandler(wait), RememberingHandler()
    for number in range(10):
        await publisher.publish(message(f"+5511{number % 5}", f"{number}"))

    async with running(engine_of(transport, first, database, concurrency=2)):
        await eventually(lambda: len(first.running) == 2, within=WITHIN)
        asyncio.get_running_loop().call_later(0.2, may_end.set)
    async with running(engine_of(transport, second, database)):
        await eventually(lambda: len(second.finished) == 8, within=WITHIN)

    handled = Counter(first.finished + second.finished)
    assert len(first.finished) == 2
    assert set(handled.values()) == {1}
    assert len(handled) == 10


async def test_keys_in_any_script_and_headers_of_any_bytes_come_as_they_were(
    transport: Transport,
) -> None:
    sent = Record(
        topic="messages.received",
        key="João|東京|👋|a\tb",
        headers=(("ce_id", b"\x00\xff"), ("ação", "é".encode()), ("twice", b"1"), ("twice", b"")),
        value=bytes(range(256)),
    )

    await transport.publish(sent)

    assert await fetched(transport) == sent


async def test_a_record_of_900_kilobytes_arrives_and_a_larger_one_is_refused_before_it_is_sent(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler()
    large = message("+55111", "ã" * 450_000)

    await publisher.publish(large)
    with pytest.raises(PermanentError, match="is the limit"):
        await publisher.publish(message("+55111", "x" * LARGEST_RECORD))
    await publisher.publish(message("+55111", "small"))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: len(handler.finished) == 2, within=WITHIN)
    assert handler.words_of("+55111") == [large.payload.text, "small"]


async def test_nothing_that_was_flushed_is_unsettled(
    transport: Transport, publisher: Publisher
) -> None:
    async def let_go(_shards: Collection[str]) -> None: ...

    await publisher.publish(message("+5511"))

    async with transport.subscribe("processor", [MESSAGES_RECEIVED], let_go) as subscription:
        while not (deliveries := await subscription.fetch(10)):
            pass
        await subscription.acknowledge(deliveries)
        await subscription.flush()
        unsettled = subscription.unsettled_seconds()

    assert len(deliveries) == 1
    assert unsettled == 0.0


async def test_no_more_is_read_than_the_window_holds(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    async def take_some_time(_event: Event[Any]) -> None:
        await asyncio.sleep(0.005)

    handler, watched = RememberingHandler(take_some_time), WatchedTransport(transport)
    for number in range(60):
        await publisher.publish(message(f"+5511{number}", "hello"))

    async with running(engine_of(watched, handler, database, concurrency=2)):
        await eventually(lambda: len(handler.finished) == 60, within=WITHIN)

    assert handler.most_at_once == 2
    assert 2 < watched.most_held <= 8


async def fetched(transport: Transport) -> Record:
    async def nothing_to_let_go_of(_shards: Collection[str]) -> None:
        pass

    async with transport.subscribe(
        "processor", [MESSAGES_RECEIVED], nothing_to_let_go_of
    ) as subscription:
        (delivery,) = await eventually(lambda: subscription.fetch(1), within=WITHIN)
        await subscription.acknowledge([delivery])
        await subscription.flush()
    return delivery.record
