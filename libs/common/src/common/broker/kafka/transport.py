"""Records in Kafka: the broker of production."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from common.broker.kafka.address import Address, parse_address
from common.broker.kafka.client_log import quiet_client
from common.broker.kafka.failures import classified
from common.broker.kafka.made_once import MadeOnce
from common.broker.kafka.producer import RecordProducer
from common.broker.kafka.security import read_security
from common.broker.kafka.subscription import KafkaSubscription
from common.broker.kafka.topic_rules import Care, KafkaTopic, TopicPlan
from common.broker.kafka.topics import ensure_topics
from common.broker.transport import LARGEST_RECORD, Revoked, refuse_oversized
from common.events import TOPICS, Record, Topic
from common.settings import BrokerSettings

log = structlog.get_logger()

_SHORTEST_SESSION, _LONGEST_SESSION = 6.0, 1800.0
"""Seconds that a broker grants, unless it was told of others."""
_HEARTBEAT_SECONDS = 3.0
_REBALANCE_SECONDS = 30.0
"""How long the group waits for a member that lets go; an engine's drain must be shorter."""
_REQUEST_SECONDS = 40.0
"""Longer than a rebalance, since the request to join is answered at its end."""
_METADATA_MILLISECONDS = 5000
"""How soon a reader learns who leads in place of a broker that hangs, and so never answers it."""
_NEVER_MILLISECONDS = 2**31 - 1
_FETCH_WAIT_MILLISECONDS = 1000
"""How long a broker that has nothing new may wait with its answer; a new record ends that."""
_PARTITION_BYTES, _FETCH_BYTES = 262_144, 8_388_608
_LEAVE_SECONDS = 10.0
_CHECK_SECONDS = 2.0


class KafkaTransport:
    """See `Transport`. Order per key rests on the number of partitions, which we never change."""

    def __init__(
        self,
        address: Address,
        *,
        partitions: int,
        replication: int,
        retention_hours: int = 168,
        care: Care = Care.NONE,
        session_seconds: float = 30.0,
    ) -> None:
        """Connect when first used; `session_seconds` is how long a dead member keeps its share."""
        self._address = address
        self._plan = TopicPlan(partitions, replication, retention_hours, care)
        self._session_seconds = session_seconds
        self._producer = RecordProducer(address)
        self._topics = MadeOnce(self._ensure_topics)

    async def publish(self, record: Record) -> None:
        """See `Transport.publish`."""
        topic = (await self._topics.get())[self._name(record.topic)]
        if topic.largest_record < LARGEST_RECORD:
            refuse_oversized(record, topic.largest_record)
        await self._producer.send(topic.name, record)

    async def check(self) -> None:
        """See `Transport.check`: whether a broker answers, and our topics stand.

        Where somebody changed the partitions of a topic, all are read and judged again, and we go
        on: the order of its keys broke with that change, and no refusal of ours would mend it. That
        all processes soon spread keys alike is what can be had, and this call sees to it.
        Only where topics have to be safe and are not any more, nothing is published until somebody
        mends them.
        """
        async with classified(self._address), asyncio.timeout(_CHECK_SECONDS):
            topics = await self._topics.get()
            changed = await self._producer.check(topics.values())
            if changed:
                log.warning("partitions of topics were changed", topics=changed)
                self._topics.forget(topics)
                await self._topics.get()

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
            async with classified(self._address):
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
            **self._address.options,
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
            metadata_max_age_ms=_METADATA_MILLISECONDS,
            # a consumer that pauses for an hour stays a member
            max_poll_interval_ms=_NEVER_MILLISECONDS,
            fetch_max_wait_ms=_FETCH_WAIT_MILLISECONDS,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            fetch_max_bytes=_FETCH_BYTES,
        )

    async def _ensure_topics(self) -> Mapping[str, KafkaTopic]:
        names = [self._name(topic.name) for topic in TOPICS]
        return await ensure_topics(self._address, names, self._plan)

    def _name(self, name: str) -> str:
        return f"{self._address.prefix}{name}"


@asynccontextmanager
async def open_kafka(settings: BrokerSettings, *, strict: bool) -> AsyncGenerator[KafkaTransport]:
    """Open the cluster at `settings.url`; its producer is closed at the end.

    Where we are `strict`, what may lose records or show a password is refused. Raises `StartError`
    for settings that do not fit.
    """
    quiet_client()
    transport = KafkaTransport(
        parse_address(settings.url, read_security(settings, strict=strict)),
        partitions=settings.partitions,
        replication=settings.replication,
        retention_hours=settings.retention_hours,
        care=_care(settings, strict=strict),
        session_seconds=min(max(settings.lease_seconds, _SHORTEST_SESSION), _LONGEST_SESSION),
    )
    try:
        yield transport
    finally:
        await transport.close()


def _care(settings: BrokerSettings, *, strict: bool) -> Care:
    if not strict:
        return Care.NONE
    return Care.TELL if settings.accept_unsafe else Care.REFUSE


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(_LEAVE_SECONDS):
            await consumer.stop()
    except TimeoutError:
        log.warning("left the group without its knowledge", seconds=_LEAVE_SECONDS)
