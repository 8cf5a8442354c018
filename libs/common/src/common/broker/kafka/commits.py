"""How far each partition is done, and telling Kafka so: by time and count, one call at a time."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
import time
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from common.broker.kafka.address import Address
from common.broker.kafka.contiguous import Contiguous
from common.broker.kafka.failures import away
from common.broker.outage import wait_unless
from common.broker.transport import Delivery
from common.errors import DependencyDown

log = structlog.get_logger()

_SECONDS = 1.0
_RECORDS = 500
_PATIENCE_SECONDS = 5.0


Token = tuple[Contiguous, int]
"""The progress that a delivery counts for, and its offset.

An older assignment's progress is nobody's any more, so that a late completion moves nothing.
"""


class Commits:
    """The progress of the partitions of one assignment after the other."""

    def __init__(self, consumer: AIOKafkaConsumer, address: Address) -> None:
        """Commit through this consumer."""
        self._consumer = consumer
        self._address = address
        self._progress: dict[TopicPartition, Contiguous] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._one_call = asyncio.Lock()
        self._finished = 0
        self._many = asyncio.Event()
        self.trouble: DependencyDown | None = None
        """Why the last commit failed; None while they succeed."""

    def held(self, partition: TopicPartition) -> int:
        """Count the records of a partition that are not done, or behind one that is not."""
        progress = self._progress.get(partition)
        return 0 if progress is None else len(progress)

    def progress(self, partition: TopicPartition) -> Contiguous:
        """Return how far a partition is done, to note there what was read."""
        return self._progress.setdefault(partition, Contiguous())

    def finish(self, deliveries: Sequence[Delivery]) -> None:
        """Note records that are done."""
        now = time.monotonic()
        for delivery in deliveries:
            token: Token = delivery.token
            progress, offset = token
            progress.finish(offset, now)
        self._finished += len(deliveries)
        if self._finished >= _RECORDS:
            self._many.set()

    def age(self) -> float:
        """Return for how many seconds the oldest record is finished that no commit covers."""
        now, all_since = time.monotonic(), [e.unsettled_since for e in self._progress.values()]
        return now - min([since for since in all_since if since is not None], default=now)

    async def commit(self) -> None:
        """Make the progress durable. Raises `DependencyDown`; a later call tries again then."""
        async with self._one_call:
            began, self._finished = time.monotonic(), 0
            self._many.clear()
            progress = self._progress
            positions = {
                partition: each.position
                for partition, each in progress.items()
                if each.position is not None and each.position != self._committed.get(partition)
            }
            if positions:
                await self._send(positions)
            for partition, position in positions.items():
                progress[partition].settle(position, began)

    async def keep_committing(self) -> None:
        """Commit every second and every 500 records, for ever."""
        while True:
            await wait_unless(self._many, _SECONDS)
            try:
                await self.commit()
            except DependencyDown as error:
                self.trouble = error
            else:
                self.trouble = None

    def forget(self) -> None:
        """Start anew: the next assignment reads from what was committed."""
        self._progress = {}
        self._committed = {}

    async def _send(self, positions: dict[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._consumer.commit(positions)
        except (CommitFailedError, IllegalStateError) as error:
            # the group went on without us; who has the partitions now begins at the last commit
            log.info("commit came too late", partitions=len(positions), cause=str(error))
        except (KafkaError, TimeoutError) as error:
            raise await away(error, self._address) from error
        else:
            self._committed.update(positions)
