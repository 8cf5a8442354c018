"""The engine on a real Kafka, while members come and go and the broker dies and returns."""

import asyncio
import random
import time
import zlib
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.engine.engine import Engine
from common.broker.publisher import Publisher
from common.broker.transport import Delivery, Transport
from common.database import Database
from common.errors import DependencyDown
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, Event
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    engine_of,
    message,
    running,
)
from tests.contract.killed_consumer import kill_one_that_took_a_record_of
from tests.servers.kafka import KafkaCluster

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quiet")]

PARTITIONS = 4
WITHIN = 40.0
SHORT_LEASE_WITHIN = 20.0
"""Before a lease that was left at its default is over."""


def settings_for(cluster: KafkaCluster) -> BrokerSettings:
    return BrokerSettings(url=f"kafka://{cluster.bootstrap}/{new_id()}", partitions=PARTITIONS)


def publisher_on(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))


class Timeline:
    """When each message was finished, by whichever member."""

    def __init__(self) -> None:
        self.finished: dict[str, list[float]] = {}

    def handler(self) -> RememberingHandler:
        async def work(event: Event[Any]) -> None:
            await asyncio.sleep(random.uniform(0.05, 0.15))
            self.finished.setdefault(event.payload.text, []).append(time.monotonic())

        return RememberingHandler(work)


async def test_when_a_second_member_joins_in_the_middle_of_handlers_nothing_is_lost_or_overtaken(
    kafka_server: KafkaCluster, database: Database
) -> None:
    timeline, settings = Timeline(), settings_for(kafka_server)
    contacts = [f"+5511{number}" for number in range(24)]
    events = [message(contact, f"{contact}#{n}") for n in range(12) for contact in contacts]

    async with open_transport(settings) as transport:
        for event in events:
            await publisher_on(transport).publish(event)
        first, second = timeline.handler(), timeline.handler()
        async with running(engine_of(transport, first, database, concurrency=4)):
            await eventually(lambda: len(timeline.finished) > 20, within=WITHIN)
            async with running(engine_of(transport, second, database, concurrency=4)):
                await eventually(lambda: len(timeline.finished) == len(events), within=WITHIN)

    assert second.finished, "both members had their share"
    assert sorted(first.begun) == sorted(first.finished), "no handler was cut short"
    for contact in contacts:
        times = [timeline.finished[f"{contact}#{n}"][0] for n in range(12)]
        assert times == sorted(times), "a key kept its order"
    assert not needless_repetitions(events, timeline)


def needless_repetitions(events: list[Event[Any]], timeline: Timeline) -> list[str]:
    """What came again although nothing before it in its partition was unfinished then."""
    unfinished_until: dict[int, float] = {}
    needless: list[str] = []
    for event in events:
        partition = zlib.crc32(event.payload.key.encode()) % PARTITIONS
        first, *again = timeline.finished[event.payload.text]
        if again and unfinished_until.get(partition, 0.0) < first:
            needless.append(event.payload.text)
        unfinished_until[partition] = max(unfinished_until.get(partition, 0.0), first)
    return needless


async def test_a_handler_that_outlasts_the_drain_is_cut_short_and_its_record_comes_again(
    kafka_server: KafkaCluster, database: Database
) -> None:
    hanging = asyncio.Event()
    begun = 0

    async def hang_at_first(_event: Event[Any]) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            await hanging.wait()

    handler = RememberingHandler(hang_at_first)
    async with open_transport(settings_for(kafka_server)) as transport:
        await publisher_on(transport).publish(message("+55111", "first"))
        await publisher_on(transport).publish(message("+55111", "second"))
        async with running(engine_of(transport, handler, database, drain_seconds=0.2)):
            await eventually(lambda: handler.begun, within=WITHIN)
            async with running(engine_of(transport, handler, database)):
                await eventually(lambda: len(handler.finished) == 2, within=WITHIN)

    assert handler.begun == [("+55111", "first"), ("+55111", "first"), ("+55111", "second")]
    assert handler.words_of("+55111") == ["first", "second"]


async def test_a_member_that_loses_its_partitions_during_a_pause_reads_on_when_it_is_over(
    kafka_server: KafkaCluster, database: Database
) -> None:
    away = True

    async def need_it(_event: Event[Any]) -> None:
        if away:
            raise DependencyDown("postgres", "connection refused")

    first, second = RememberingHandler(need_it), RememberingHandler(need_it)
    contacts = [f"+5511{number}" for number in range(24)]
    async with open_transport(settings_for(kafka_server)) as transport:
        for contact in contacts:
            await publisher_on(transport).publish(message(contact, "hello"))
        engine = engine_of(transport, first, database)
        async with running(engine):
            await eventually(lambda: paused(engine), within=WITHIN)
            async with running(engine_of(transport, second, database)):
                await eventually(lambda: second.begun, within=WITHIN)
                away = False
                await eventually(
                    lambda: len(first.finished + second.finished) >= len(contacts), within=WITHIN
                )

    assert {contact for contact, _ in first.finished + second.finished} == set(contacts)
    assert first.finished


async def test_what_a_killed_process_held_comes_again_when_its_session_is_over(
    kafka_server: KafkaCluster, database: Database
) -> None:
    handler, settings = RememberingHandler(), settings_for(kafka_server)
    async with open_transport(settings) as transport:
        await publisher_on(transport).publish(message("+55111", "hello"))

        await kill_one_that_took_a_record_of(settings.url)
        async with running(engine_of(transport, handler, database)):
            await eventually(lambda: handler.finished, within=SHORT_LEASE_WITHIN)

    assert handler.finished == [("+55111", "hello")]


async def test_a_consumer_pauses_while_the_broker_is_dead_and_goes_on_when_it_returns(
    own_kafka: KafkaCluster, database: Database
) -> None:
    handler, (node,) = RememberingHandler(), own_kafka.nodes
    async with open_transport(settings_for(own_kafka)) as transport:
        publisher, engine = publisher_on(transport), engine_of(transport, handler, database)
        async with running(engine):
            await publisher.publish(message("+55111", "before"))
            await eventually(lambda: handler.finished, within=WITHIN)

            node.kill()
            await eventually(lambda: paused(engine), within=WITHIN)
            with pytest.raises(DependencyDown):
                await publisher.publish(message("+55222", "meanwhile"), deadline=0.5)
            await asyncio.to_thread(node.start)
            await eventually(lambda: ready(engine), within=WITHIN)

            await publisher.publish(message("+55111", "after"), deadline=20.0)
            await eventually(lambda: ("+55111", "after") in handler.finished, within=WITHIN)

    assert handler.words_of("+55111") == ["before", "after"]


async def test_a_consumer_comes_up_before_its_broker_and_says_what_it_waits_for(
    own_kafka: KafkaCluster, database: Database
) -> None:
    handler, (node,) = RememberingHandler(), own_kafka.nodes
    node.kill()
    async with open_transport(settings_for(own_kafka)) as transport:
        engine = engine_of(transport, handler, database)
        async with running(engine):
            await eventually(lambda: paused(engine), within=WITHIN)
            reason = await engine.ready()
            await asyncio.to_thread(node.start)
            await eventually(lambda: ready(engine), within=WITHIN)
            await publisher_on(transport).publish(message("+55111", "hello"))
            await eventually(lambda: handler.finished, within=WITHIN)

    assert reason == f"kafka is away: no broker answers at {own_kafka.bootstrap}"


async def test_publishing_to_a_broker_that_hangs_ends_at_its_deadline(
    own_kafka: KafkaCluster,
) -> None:
    (node,) = own_kafka.nodes
    async with open_transport(settings_for(own_kafka)) as transport:
        publisher = publisher_on(transport)
        await publisher.publish(message("+55111", "before"), deadline=WITHIN)

        node.hang()
        started = time.monotonic()
        with pytest.raises(DependencyDown, match=r"did not answer in 1 s"):
            await publisher.publish(message("+55111", "meanwhile"), deadline=1.0)
        waited = time.monotonic() - started
        node.resume()

        await publisher.publish(message("+55111", "after"), deadline=WITHIN)
    assert waited < 10.0, "without a deadline of its own it waits so long"


async def test_what_waits_is_what_we_were_not_handed_yet(kafka_server: KafkaCluster) -> None:
    async def let_go(_shards: object) -> None: ...

    async with open_transport(settings_for(kafka_server)) as transport:
        for number in range(5):
            await publisher_on(transport).publish(message("+55111", f"{number}"))
        async with transport.subscribe(
            MESSAGES_RECEIVED.consumer, [MESSAGES_RECEIVED, DELIVERIES_UPDATED], let_go
        ) as subscription:
            handed: list[Delivery] = []
            while not handed:
                handed += await subscription.fetch(2)
            waiting = await subscription.waiting()

    assert waiting == {"messages.received": 3, "deliveries.updated": 0}


async def ready(engine: Engine) -> bool:
    return await engine.ready() is None


async def paused(engine: Engine) -> bool:
    return "away" in (await engine.ready() or "")
