"""Records in Kafka: the broker of production."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from common.broker.kafka.address import Address, parse_address
from common.broker.kafka.failures import classified
from common.broker.kafka.made_once import MadeOnce
from common.broker.kafka.producer import RecordProducer
from common.broker.kafka.subscription import KafkaSubscription
from common.broker.kafka.topics import ensure_topics
from common.broker.transport import Revoked
from common.events import TOPICS, Record, Topic
from common.settings import BrokerSettings

log = structlog.get_logger()

_HEARTBEAT_SECONDS = 3.0
_REBALANCE_SECONDS = 30.0
"""How long the group waits for a member that lets go; an engine's drain must be shorter."""
_REQUEST_SECONDS = 40.0
"""Longer than a rebalance, since the request to join is answered at its end."""
_NEVER_MILLISECONDS = 2**31 - 1
_PARTITION_BYTES, _FETCH_BYTES = 262_144, 8_388_608
_LEAVE_SECONDS = 10.0
_CHECK_SECONDS = 2.0


class KafkaTransport:
    """See `Transport`. Order per key rests on the number of partitions, which is never changed."""

    def __init__(
        self, address: Address, *, partitions: int, replication: int, session_seconds: float = 30.0
    ) -> None:
        """Connect when first used; `session_seconds` is how long a dead member keeps its share."""
        self._address = address
        self._partitions = partitions
        self._replication = replication
        self._session_seconds = session_seconds
        self._producer = RecordProducer(address)
        self._topics = MadeOnce(self._ensure_topics)

    async def publish(self, record: Record) -> None:
        """See `Transport.publish`."""
        await self._topics.get()
        await self._producer.send(self._name(record.topic), record)

    async def check(self) -> None:
        """See `Transport.check`: whether a broker answers, and our topics stand."""
        with classified(self._address):
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._topics.get()
                await self._producer.check()

    async def close(self) -> None:
        """Close the producer; subscriptions were left before."""
        await self._topics.close()
        await self._producer.close()

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[KafkaSubscription]:
        """See `Transport.subscribe`. Partitions arrive later, by a rebalance."""
        await self._topics.get()
        consumer = self._consumer(self._name(group))
        try:
            with classified(self._address):
                await consumer.start()
            subscription = KafkaSubscription(consumer, self._address, revoked, self.check)
            try:
                consumer.subscribe([self._name(topic.name) for topic in topics], None, subscription)
                yield subscription
            finally:
                await subscription.close()
        finally:
            await _leave(consumer)

    def _consumer(self, group: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._address.text,
            group_id=group,
            client_id=f"recado-{group}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            # the sticky one shares its state between the consumers of a process
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=int(self._session_seconds * 1000),
            heartbeat_interval_ms=int(min(_HEARTBEAT_SECONDS, self._session_seconds / 3) * 1000),
            rebalance_timeout_ms=int(_REBALANCE_SECONDS * 1000),
            request_timeout_ms=int(_REQUEST_SECONDS * 1000),
            # a consumer that pauses for an hour stays a member
            max_poll_interval_ms=_NEVER_MILLISECONDS,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            fetch_max_bytes=_FETCH_BYTES,
        )

    async def _ensure_topics(self) -> None:
        await ensure_topics(
            self._address,
            [self._name(topic.name) for topic in TOPICS],
            partitions=self._partitions,
            replication=self._replication,
        )

    def _name(self, name: str) -> str:
        return f"{self._address.prefix}{name}"


@asynccontextmanager
async def open_kafka(settings: BrokerSettings) -> AsyncGenerator[KafkaTransport]:
    """Open the cluster at `settings.url`; its producer is closed at the end."""
    transport = KafkaTransport(
        parse_address(settings.url),
        partitions=settings.partitions,
        replication=settings.replication,
    )
    try:
        yield transport
    finally:
        await transport.close()


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(_LEAVE_SECONDS):
            await consumer.stop()
    except TimeoutError:
        log.warning("left the group without its knowledge", seconds=_LEAVE_SECONDS)
