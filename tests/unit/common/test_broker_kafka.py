"""The fences of the kafka transport, step by step, with a scripted consumer in aiokafka's place."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, cast

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    RequestTimedOutError,
)

from common.broker.kafka.address import parse_address
from common.broker.kafka.subscription import KafkaSubscription
from common.broker.transport import Delivery, Revoked, SubscriptionLostError
from common.errors import DependencyDown
from common.testing import eventually

ONE, TWO = TopicPartition("shop.messages.received", 0), TopicPartition("shop.messages.received", 1)


class ScriptedConsumer:
    """Hands out what it was given to hand out, and notes what is committed and paused."""

    def __init__(self) -> None:
        self.waiting: dict[TopicPartition, list[int]] = defaultdict(list)
        self.committed: list[dict[TopicPartition, int]] = []
        self.stopped: set[TopicPartition] = set()
        self.ends: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.error: Exception | None = None
        self.commit_error: Exception | None = None
        self.polled = asyncio.Event()
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens before a commit's answer."""

    async def getmany(
        self, *, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        del timeout_ms
        self.polled.set()
        if self.error is not None:
            raise self.error
        given = dict[TopicPartition, list[Any]]()
        for partition, offsets in self.waiting.items():
            if partition not in self.stopped:
                room = max_records - sum(map(len, given.values()))
                given[partition] = [record(partition, offset) for offset in offsets[:room]]
                del offsets[:room]
        return {partition: records for partition, records in given.items() if records}

    async def commit(self, positions: dict[TopicPartition, int]) -> None:
        if self.commit_error is not None:
            raise self.commit_error
        self.committed.append(positions)
        if self.meanwhile is not None:
            await self.meanwhile()

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[Any, int]:
        return {partition: self.ends[partition] for partition in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def assignment(self) -> set[TopicPartition]:
        return set(self.waiting)

    def paused(self) -> set[TopicPartition]:
        return set(self.stopped)

    def pause(self, *partitions: TopicPartition) -> None:
        self.stopped.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.stopped.difference_update(partitions)


def record(partition: TopicPartition, offset: int) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=1_700_000_000_000,
        timestamp_type=0,
        key=b"key",
        value=b"value",
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=5,
        headers=(),
    )


@pytest.fixture
def consumer() -> ScriptedConsumer:
    return ScriptedConsumer()


def subscription_of(consumer: ScriptedConsumer, revoked: Revoked) -> KafkaSubscription:
    async def answers() -> None: ...

    address = parse_address("kafka://host:1/shop")
    return KafkaSubscription(cast("AIOKafkaConsumer", consumer), address, revoked, answers)


@pytest.fixture
async def subscription(consumer: ScriptedConsumer) -> AsyncIterator[KafkaSubscription]:
    async def let_go(_shards: Collection[str]) -> None: ...

    subscription = subscription_of(consumer, let_go)
    with structlog.testing.capture_logs():
        yield subscription
    await subscription.close()


async def test_only_what_is_done_without_a_gap_is_committed(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5, 6, 7]
    deliveries = await subscription.fetch(10)

    await subscription.acknowledge(deliveries[1:])
    await subscription.flush()
    before = list(consumer.committed)
    await subscription.acknowledge(deliveries[:1])
    await subscription.flush()

    assert before == []
    assert consumer.committed == [{ONE: 8}]


async def test_what_is_finished_is_unsettled_until_a_commit_covers_it(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5, 6]
    deliveries = await subscription.fetch(10)

    await subscription.acknowledge(deliveries[1:])
    await subscription.flush()
    behind_a_gap = subscription.unsettled_seconds()
    await subscription.acknowledge(deliveries[:1])
    not_committed = subscription.unsettled_seconds()
    await subscription.flush()

    assert behind_a_gap > 0.0
    assert not_committed > 0.0
    assert subscription.unsettled_seconds() == 0.0


async def test_what_could_not_be_committed_grows_older(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5, 6]
    deliveries = await subscription.fetch(10)
    consumer.commit_error = RequestTimedOutError()
    await subscription.acknowledge(deliveries[:1])

    before = subscription.unsettled_seconds()
    with pytest.raises(DependencyDown):
        await subscription.flush()
    await subscription.acknowledge(deliveries[1:])

    assert subscription.unsettled_seconds() > before


async def test_what_is_finished_while_a_commit_is_on_its_way_is_unsettled(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5, 6]
    deliveries = await subscription.fetch(10)
    await subscription.acknowledge(deliveries[:1])
    consumer.meanwhile = lambda: subscription.acknowledge(deliveries[1:])

    await subscription.flush()

    assert consumer.committed == [{ONE: 6}]
    assert subscription.unsettled_seconds() > 0.0


async def test_what_was_committed_is_not_committed_again(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]
    await subscription.acknowledge(await subscription.fetch(10))

    await subscription.flush()
    await subscription.flush()

    assert consumer.committed == [{ONE: 6}]


async def test_a_late_completion_of_an_older_assignment_moves_nothing(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]
    late = await subscription.fetch(10)
    await subscription.on_partitions_revoked([ONE])
    consumer.waiting[ONE] = [5]
    again = await subscription.fetch(10)
    consumer.committed.clear()

    await subscription.acknowledge(late)
    await subscription.flush()

    assert consumer.committed == []
    assert again[0].record_id == late[0].record_id


async def test_what_a_poll_brought_before_a_revocation_is_not_handed_out_after_it(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]

    fetching = asyncio.create_task(subscription.fetch(10))
    await consumer.polled.wait()
    await subscription.on_partitions_revoked([ONE])

    assert await fetching == ()


async def test_a_commit_that_comes_too_late_for_the_group_is_dropped(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]
    await subscription.acknowledge(await subscription.fetch(10))
    consumer.commit_error = CommitFailedError("the group has rebalanced")

    await subscription.flush()


async def test_commits_that_fail_are_told_by_the_next_fetch(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]
    await subscription.acknowledge(await subscription.fetch(10))
    consumer.commit_error = GroupAuthorizationFailedError("shop.processor")

    async def keeps_on() -> bool:
        await subscription.fetch(10)
        return False

    with pytest.raises(DependencyDown, match=r"group shop\.processor may not be joined"):
        await eventually(keeps_on)


async def test_a_mistake_in_committing_ends_the_reading_instead_of_being_swallowed(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = [5]
    await subscription.acknowledge(await subscription.fetch(10))
    consumer.commit_error = ValueError("a mistake of ours")

    async def keeps_on() -> bool:
        await subscription.fetch(10)
        return False

    with pytest.raises(ValueError, match="a mistake of ours"):
        await eventually(keeps_on)


async def test_a_mistake_in_letting_go_ends_the_reading_although_aiokafka_hides_it(
    consumer: ScriptedConsumer,
) -> None:
    async def mistaken(_shards: Collection[str]) -> None:
        raise KeyError("a mistake of ours")

    subscription = subscription_of(consumer, mistaken)
    with pytest.raises(KeyError):
        await subscription.on_partitions_revoked([ONE])

    with pytest.raises(KeyError, match="a mistake of ours"):
        await subscription.fetch(10)
    await subscription.close()


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RequestTimedOutError(), DependencyDown),
        (KafkaError("coordination ended"), SubscriptionLostError),
    ],
)
async def test_a_poll_that_fails_says_whether_to_ask_again_or_to_subscribe_anew(
    consumer: ScriptedConsumer,
    subscription: KafkaSubscription,
    error: Exception,
    raised: type[DependencyDown],
) -> None:
    consumer.error = error

    with pytest.raises(DependencyDown) as caught:
        await subscription.fetch(10)

    assert caught.type is raised


async def test_a_partition_that_fills_half_the_window_leaves_room_for_the_others(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    consumer.waiting[ONE] = list(range(100))
    held = list(await subscription.fetch(6))

    consumer.waiting[TWO] = [7]
    others = await subscription.fetch(4)
    while_busy = consumer.paused()
    await subscription.acknowledge(held)
    await subscription.fetch(4)

    assert partitions_of(held) == {0}
    assert partitions_of(others) == {1}
    assert while_busy == {ONE}
    assert consumer.paused() == set()


async def test_what_waits_is_counted_by_topic(
    consumer: ScriptedConsumer, subscription: KafkaSubscription
) -> None:
    other = TopicPartition("shop.deliveries.updated", 0)
    consumer.waiting = defaultdict(list, {ONE: [], TWO: [], other: []})
    consumer.ends = {ONE: 10, TWO: 4, other: 7}
    consumer.positions = {ONE: 6, TWO: 1, other: 7}

    waiting = await subscription.waiting()

    assert waiting == {"messages.received": 7, "deliveries.updated": 0}


def partitions_of(deliveries: Sequence[Delivery]) -> set[int]:
    return {int(delivery.shard.rpartition("/")[2]) for delivery in deliveries}
