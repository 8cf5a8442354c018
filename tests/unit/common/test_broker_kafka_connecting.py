"""A broker that is slow to connect to is reached, although nobody waits as long as it takes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace

import pytest
from aiokafka.cluster import ClusterMetadata

from common.broker.kafka import producer, transport
from common.broker.kafka.address import Address, parse_address
from common.broker.kafka.topic_rules import KafkaTopic, TopicPlan
from common.broker.kafka.transport import KafkaTransport
from common.errors import DependencyDown
from common.events import encode
from common.testing import eventually
from common.testing.broker import message

RECORD = encode(message("+55111", "hello"))


class SlowCluster:
    """Stands where aiokafka does: creates topics and connects when it is let."""

    def __init__(self) -> None:
        self.creates, self.connects = asyncio.Event(), asyncio.Event()
        self.error: DependencyDown | None = None
        self.begun: list[str] = []
        self.sent: list[str] = []
        self.stopped = 0
        self.client = SimpleNamespace(force_metadata_update=self.answer, cluster=ClusterMetadata())

    async def ensure_topics(
        self, _address: Address, names: Sequence[str], plan: TopicPlan
    ) -> Mapping[str, KafkaTopic]:
        self.begun.append("topics")
        await self.creates.wait()
        if self.error is not None:
            raise self.error
        return {name: plan.topic(name) for name in names}

    def producer(self, **_options: object) -> "SlowCluster":
        return self

    async def start(self) -> None:
        self.begun.append("producer")
        await self.connects.wait()

    async def send_and_wait(self, topic: str, *_record: object, **_more: object) -> None:
        self.sent.append(topic)

    async def answer(self) -> bool:
        return True

    async def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> SlowCluster:
    cluster = SlowCluster()
    monkeypatch.setattr(transport, "ensure_topics", cluster.ensure_topics)
    monkeypatch.setattr(producer, "AIOKafkaProducer", cluster.producer)
    return cluster


@pytest.fixture
async def kafka(cluster: SlowCluster) -> AsyncIterator[KafkaTransport]:
    del cluster
    kafka = KafkaTransport(parse_address("kafka://host:1/shop"), partitions=1, replication=1)
    yield kafka
    await kafka.close()


async def test_a_connection_that_outlasts_who_waits_for_it_serves_those_who_come_later(
    kafka: KafkaTransport, cluster: SlowCluster
) -> None:
    await give_up_publishing(kafka)
    await give_up_publishing(kafka)
    cluster.creates.set()
    await give_up_publishing(kafka)
    await give_up_publishing(kafka)
    cluster.connects.set()
    await kafka.publish(RECORD)
    await kafka.check()

    assert cluster.begun == ["topics", "producer"]
    assert cluster.sent == ["shop.messages.received"]


async def test_a_connection_that_failed_is_begun_anew_by_whoever_comes_next(
    kafka: KafkaTransport, cluster: SlowCluster
) -> None:
    cluster.error = DependencyDown("kafka", "no broker answers")
    cluster.creates.set()
    cluster.connects.set()
    with pytest.raises(DependencyDown, match="no broker answers"):
        await kafka.publish(RECORD)

    cluster.error = None
    await kafka.publish(RECORD)

    assert cluster.begun == ["topics", "topics", "producer"]


async def test_a_connection_that_nobody_waited_for_is_given_up_at_the_end(
    kafka: KafkaTransport, cluster: SlowCluster
) -> None:
    cluster.creates.set()
    await give_up_publishing(kafka)
    await eventually(lambda: "producer" in cluster.begun)

    await kafka.close()

    assert cluster.stopped == 1
    assert len(asyncio.all_tasks()) == 1


async def give_up_publishing(kafka: KafkaTransport) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await kafka.publish(RECORD)
