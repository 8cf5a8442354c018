"""One producer a process: connected when first needed, replaced when it is broken."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
import zlib
from collections.abc import Iterable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from common.broker.kafka.address import Address
from common.broker.kafka.failures import away, classified
from common.broker.kafka.made_once import MadeOnce
from common.broker.kafka.topic_rules import KafkaTopic
from common.errors import PermanentError
from common.events import Record

log = structlog.get_logger()

_REQUEST_MILLISECONDS = 5000
"""What a leader that hangs costs; the client's own default is eight times that."""
_CONNECT_SECONDS = 30.0
"""After which the next who asks begins anew; the client alone would ask for its id for ever."""
_BATCH_BYTES = 131_072
_CLOSE_SECONDS = 5.0


class RecordProducer:
    """Idempotent, acknowledged by all replicas in sync, nothing held back to fill a batch."""

    def __init__(self, address: Address) -> None:
        """Connect to nobody yet."""
        self._address = address
        self._connection = MadeOnce(self._connect)
        self._discarding: set[asyncio.Task[None]] = set()

    async def send(self, topic: str, record: Record) -> None:
        """Return once all replicas in sync have it. See `Transport.publish`.

        While no broker serves the partition this waits as long as its caller does, since an
        idempotent producer never gives a record up, and delivers it later.
        """
        producer = await self._connection.get()
        try:
            await producer.send_and_wait(
                topic, record.value, key=record.key.encode(), headers=list(record.headers)
            )
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            self._replace(producer)
            raise PermanentError(f"{topic} takes no record of {len(record.value)} bytes") from error
        except KafkaError as error:
            if not error.retriable:
                # it would fail every later record of the partition with OutOfOrderSequenceNumber
                self._replace(producer)
            raise await away(error, self._address, deed="written") from error

    async def check(self, topics: Iterable[KafkaTopic]) -> list[str]:
        """Learn of the topics anew; name those whose number of partitions is another by now.

        Raises `DependencyDown` unless a broker answers.
        """
        producer = await self._connection.get()
        if not await producer.client.force_metadata_update():
            raise await away(KafkaConnectionError(), self._address)
        # of a topic to which nothing was written yet the client may know nothing
        known = producer.client.cluster.partitions_for_topic
        return [
            topic.name
            for topic in topics
            if (partitions := known(topic.name)) and len(partitions) != topic.partitions
        ]

    async def close(self) -> None:
        """Wait a few seconds for what is on its way, then drop it."""
        producer = await self._connection.close()
        if producer is not None:
            self._discard(producer)
        if self._discarding:
            await asyncio.wait(self._discarding)

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._address.options,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            compression_type="lz4",
            partitioner=_partition_of,  # pyright: ignore[reportArgumentType] - any callable is taken
            request_timeout_ms=_REQUEST_MILLISECONDS,
        )
        try:
            async with classified(self._address), asyncio.timeout(_CONNECT_SECONDS):
                await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    def _replace(self, producer: AIOKafkaProducer) -> None:
        if self._connection.forget(producer):
            self._discard(producer)

    def _discard(self, producer: AIOKafkaProducer) -> None:
        stopping = asyncio.create_task(_stop(producer))
        self._discarding.add(stopping)
        stopping.add_done_callback(self._discarding.discard)


def _partition_of(key: bytes, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Spread keys by CRC-32, as librdkafka does: the client's own murmur2 is a loop in Python.

    Over the partitions that the client knows of now, those without a leader included: a number read
    once would outlast its truth.
    """
    del available
    return zlib.crc32(key) % len(partitions)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await producer.stop()
    except TimeoutError:
        # records that no broker takes; whoever published them has given up on them
        log.warning("kafka producer closed with records on their way")
        await producer._sender.close()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - `stop` waits for ever
        await producer.client.close()
