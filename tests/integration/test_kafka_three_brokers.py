"""Three brokers of which some die, hang or are away: what was acknowledged is handled, in order."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.database import Database
from common.errors import DependencyDown
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
from tests.servers.kafka import KafkaCluster, local_kafka
from tests.servers.kafka_node import KafkaNode
from tests.servers.processes import ending_on_sigterm

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180), pytest.mark.usefixtures("quiet")]
CONTACTS = [f"+5511{number}" for number in range(8)]
WITHIN = 90.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """Each test gives back the nodes that it took away."""
    with ending_on_sigterm(), local_kafka(nodes=3, mortal=True) as cluster:
        yield cluster


@pytest.fixture
def settings(cluster: KafkaCluster) -> BrokerSettings:
    url = f"kafka://{cluster.bootstrap}/{new_id()}"
    return BrokerSettings(url=url, partitions=3, replication=3)


async def test_while_a_leader_dies_and_returns_nothing_is_lost_or_overtaken(
    cluster: KafkaCluster, settings: BrokerSettings, database: Database
) -> None:
    handler = RememberingHandler()
    async with open_transport(settings, strict=True) as transport:
        publisher = publisher_on(transport)
        await publish_rounds(publisher, range(5))
        leader = await leader_of(cluster, settings)
        async with running(engine_of(transport, handler, database)):
            await eventually(lambda: handler.finished, within=WITHIN)

            publishing = asyncio.create_task(publish_rounds(publisher, range(5, 60)))
            leader.kill()
            await publishing
            await publish_rounds(publisher, range(60, 65))
            await start(leader)
            await publish_rounds(publisher, range(65, 70))

            await eventually(lambda: has_all(handler, 70), within=WITHIN)

    assert_in_order(handler, 70)


async def test_with_two_of_three_away_publishing_waits_and_goes_on_when_they_are_back(
    cluster: KafkaCluster, settings: BrokerSettings, database: Database
) -> None:
    handler, away = RememberingHandler(), list(cluster.nodes[1:])
    async with open_transport(settings, strict=True) as transport:
        publisher = publisher_on(transport)
        async with running(engine_of(transport, handler, database)):
            await publish_rounds(publisher, range(5))
            for node in away:
                node.kill()
            with pytest.raises(DependencyDown):
                await publisher.publish(message(CONTACTS[0], "meanwhile"), deadline=2.0)
            await start(*away)
            await publish_rounds(publisher, range(5, 10))

            await eventually(lambda: has_all(handler, 10), within=WITHIN)

    assert_in_order(handler, 10)


async def test_a_leader_that_hangs_costs_seconds_and_no_record(
    cluster: KafkaCluster, settings: BrokerSettings, database: Database
) -> None:
    handler = RememberingHandler()
    async with open_transport(settings, strict=True) as transport:
        publisher = publisher_on(transport)
        await publish_rounds(publisher, range(5))
        leader = await leader_of(cluster, settings)
        async with running(engine_of(transport, handler, database)):
            await eventually(lambda: has_all(handler, 5), within=WITHIN)

            leader.hang()
            try:
                began = time.monotonic()
                await publish_rounds(publisher, range(5, 10))
                published = time.monotonic() - began
                await eventually(lambda: has_all(handler, 10), within=WITHIN)
            finally:
                leader.resume()
            await publish_rounds(publisher, range(10, 15))
            await eventually(lambda: has_all(handler, 15), within=WITHIN)

    assert published < 25.0
    assert_in_order(handler, 15)


async def test_a_topic_that_began_to_lose_records_is_refused_until_it_is_mended(
    cluster: KafkaCluster, settings: BrokerSettings
) -> None:
    name = f"{settings.url.rpartition('/')[2]}.messages.received"
    async with open_transport(settings, strict=True) as transport:
        await eventually(lambda: answers(transport), within=WITHIN)
    await alter(cluster, name, "3600000")

    async with AsyncExitStack() as opened:

        async def refused() -> Transport | None:
            transport = await opened.enter_async_context(open_transport(settings, strict=True))
            words = await complaint_of(transport)
            return transport if "retention.ms is 3600000, less than a day" in words else None

        one = await eventually(refused, within=WITHIN)
        assert one is not None
        await alter(cluster, name, "604800000")
        await eventually(lambda: answers(one), within=WITHIN)


async def publish_rounds(publisher: Publisher, rounds: range) -> None:
    """A message of each contact a round, one round after the other; again what was not taken."""
    for number in rounds:
        for contact in CONTACTS:
            event = message(contact, f"{number}")
            while True:
                try:
                    await publisher.publish(event, deadline=20.0)
                    break
                except DependencyDown:
                    continue


def has_all(handler: RememberingHandler, rounds: int) -> bool:
    seen = set(handler.finished)
    return all((contact, f"{n}") in seen for contact in CONTACTS for n in range(rounds))


def assert_in_order(handler: RememberingHandler, rounds: int) -> None:
    for contact in CONTACTS:
        firsts = list(dict.fromkeys(handler.words_of(contact)))
        assert [word for word in firsts if word.isdigit()] == [f"{n}" for n in range(rounds)]


async def start(*nodes: KafkaNode) -> None:
    # launched by this thread, with which they end; those of a pool are gone with the test
    for node in nodes:
        node.launch()
    for node in nodes:
        await asyncio.to_thread(node.wait_until_ready, brokers=3)


async def leader_of(cluster: KafkaCluster, settings: BrokerSettings) -> KafkaNode:
    """The node that leads a partition to which one of the contacts writes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        name = f"{settings.url.rpartition('/')[2]}.messages.received"
        (topic,) = await admin.describe_topics([name])
        return cluster.nodes[topic["partitions"][0]["leader"] - 1]
    finally:
        await admin.close()


async def alter(cluster: KafkaCluster, name: str, retention: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        changed = {"retention.ms": retention, "min.insync.replicas": "2"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changed)])
    finally:
        await admin.close()


async def answers(transport: Transport) -> bool:
    return await complaint_of(transport) == ""


async def complaint_of(transport: Transport) -> str:
    try:
        await transport.check()
    except DependencyDown as error:
        return str(error)
    return ""


def publisher_on(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))
