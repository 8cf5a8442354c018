"""One member of a consumer group: reads, and lets go of what the group takes away.

aiokafka rebalances eagerly: every partition is revoked, and reading starts again at what was
committed. So whatever is not committed by the end of a revocation is forgotten here.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import KafkaError

from common.broker.kafka.address import Address
from common.broker.kafka.commits import Commits
from common.broker.kafka.failures import away, classified
from common.broker.transport import Delivery, Revoked, SubscriptionLostError
from common.errors import DependencyDown
from common.events import Headers, Record

log = structlog.get_logger()

_POLL_MILLISECONDS = 500
_POLL_RECORDS = 100
"""Few enough that they are still in the CPU's cache when they are handled, and let go of."""
_FETCH_SECONDS = 0.5
_SILENCE_SECONDS = 3.0
_COUNT_SECONDS = 2.0

Batches = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]


class KafkaSubscription(ConsumerRebalanceListener):
    """See `Subscription`."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        address: Address,
        revoked: Revoked,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        """Read with a started consumer; `check` tells whether a broker answers at all."""
        self._consumer = consumer
        self._address = address
        self._revoked = revoked
        self._check = check
        self._commits = Commits(consumer, address)
        self._assignment = 0
        self._poll: asyncio.Task[tuple[int, Batches]] | None = None
        self._committing: asyncio.Task[None] = asyncio.create_task(self._commits.keep_committing())
        self._heard = time.monotonic()
        self._mistake: Exception | None = None

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.fetch`.

        The poll under it goes on when this returns empty-handed: a rebalance may hold it for long,
        and aiokafka loses count of its polls when one is cancelled.
        """
        self._raise_mistakes()
        if self._commits.trouble is not None:
            raise DependencyDown("kafka", self._commits.trouble.cause)
        self._poll = self._poll or asyncio.create_task(self._read(limit))
        await asyncio.wait([self._poll], timeout=_FETCH_SECONDS)
        assignment, batches = await self._take_result()
        if assignment != self._assignment:
            return ()  # revoked since; the next assignment reads them again
        if not batches:
            await self._break_silence()
            return ()
        self._heard = time.monotonic()
        deliveries: list[Delivery] = []
        for partition, records in batches.items():
            deliveries += self._deliveries(partition, records)
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Subscription.acknowledge`; committed within about a second."""
        self._commits.finish(deliveries)

    async def flush(self) -> None:
        """See `Subscription.flush`."""
        await self._commits.commit()

    def unsettled_seconds(self) -> float:
        """See `Subscription.unsettled_seconds`."""
        return self._commits.age()

    async def waiting(self) -> Mapping[str, int]:
        """See `Subscription.waiting`; counted by the broker, so for paused partitions too."""
        counts: Counter[str] = Counter()
        partitions = self._consumer.assignment()
        async with classified(self._address), asyncio.timeout(_COUNT_SECONDS):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
            for partition in partitions & self._consumer.assignment():
                position: int = await self._consumer.position(partition)
                counts[self._topic(partition)] += max(0, ends[partition] - position)
        return counts

    async def close(self) -> None:
        """End the poll and the commits; nothing is committed any more."""
        background = {self._committing} if self._poll is None else {self._committing, self._poll}
        for task in background:
            task.cancel()
        await asyncio.wait(background)

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - it awaits
        self, revoked: Collection[TopicPartition]
    ) -> None:
        """Let the engine finish what it began, and commit that; aiokafka waits for us meanwhile.

        It would only log what is raised here; the next fetch raises it.
        """
        self._assignment += 1
        if revoked:
            log.info("partitions revoked", partitions=len(revoked))
            try:
                await self._revoked([_shard(partition) for partition in revoked])
                await self._commits.commit()
            except DependencyDown as error:
                log.warning("finished records will come again", cause=error.cause)
            except Exception as mistake:
                self._mistake = mistake
                raise
        self._commits.forget()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Say so."""
        log.info("partitions assigned", partitions=len(assigned))

    def _raise_mistakes(self) -> None:
        if self._mistake is not None:
            raise self._mistake
        if self._committing.done():
            self._committing.result()  # it ends only by a mistake of ours

    async def _read(self, limit: int) -> tuple[int, Batches]:
        self._hold_back_the_busy(limit)
        batches = await self._consumer.getmany(
            timeout_ms=_POLL_MILLISECONDS, max_records=min(limit, _POLL_RECORDS)
        )
        return self._assignment, batches

    async def _take_result(self) -> tuple[int, Batches]:
        if self._poll is None or not self._poll.done():
            return self._assignment, {}
        poll, self._poll = self._poll, None
        try:
            return poll.result()
        except KafkaError as error:
            down = await away(error, self._address)
            if error.retriable:
                raise down from error
            raise SubscriptionLostError(down.dependency, down.cause) from error

    def _hold_back_the_busy(self, room: int) -> None:
        """Leave room for other partitions when one fills half the window behind a slow key."""
        held = {each: self._commits.held(each) for each in self._consumer.assignment()}
        window = room + sum(held.values())
        busy = {each for each, records in held.items() if records > window // 2}
        paused = self._consumer.paused()
        self._consumer.pause(*(busy - paused))
        self._consumer.resume(*(each for each in paused - busy if held[each] <= window // 4))

    async def _break_silence(self) -> None:
        """aiokafka hides a broker that is away: whoever hears nothing must ask."""  # noqa: D403
        if time.monotonic() - self._heard >= _SILENCE_SECONDS:
            await self._check()
            self._heard = time.monotonic()

    def _deliveries(
        self, partition: TopicPartition, records: Sequence[ConsumerRecord[bytes, bytes]]
    ) -> Sequence[Delivery]:
        topic, shard, number = self._topic(partition), _shard(partition), partition.partition
        progress = self._commits.progress(partition)
        progress.add([record.offset for record in records])
        return [
            Delivery(
                Record(
                    topic,
                    (record.key or b"").decode(errors="replace"),
                    _without_none(record.headers),
                    record.value or b"",
                ),
                # a topic that was deleted and made anew counts its offsets again, in another time
                f"{number}/{record.offset}@{record.timestamp}",
                (progress, record.offset),
                shard,
            )
            for record in records
        ]

    def _topic(self, partition: TopicPartition) -> str:
        return partition.topic.removeprefix(self._address.prefix)


def _shard(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"


def _without_none(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Let a header without a value be an empty one; hardly any is, so nothing is copied for it."""
    for _, value in headers:
        if value is None:
            return tuple((name, value or b"") for name, value in headers)
    return headers  # pyright: ignore[reportReturnType] - there is none
