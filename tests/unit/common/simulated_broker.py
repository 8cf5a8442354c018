"""Brokers, dead letters and halts in memory, that fail when told to and are asked what they saw."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetter, DeadLetters
from common.broker.kafka.contiguous import Contiguous
from common.broker.memory import MemorySubscription, MemoryTransport
from common.broker.transport import Delivery, Revoked, Subscription, SubscriptionLostError
from common.errors import DependencyDown
from common.events import Record, Topic, header
from common.ids import Ulid

OPERATOR_SECONDS = 5.0
"""Until a halt is ended by somebody who was woken."""


class Switch:
    """A dependency that is there or away."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.away = False

    def comes_back(self) -> None:
        self.away = False

    def need(self) -> None:
        if self.away:
            raise DependencyDown(self._name, "switched off")


class SimulatedBroker(Protocol):
    """A transport that a test takes things away from."""

    switch: Switch
    lose: bool
    """The subscription is lost when it is read the next time."""

    async def publish(self, record: Record) -> None: ...

    async def check(self) -> None: ...

    def subscribe(self, group: str, topics: Sequence[Topic], revoked: Revoked) -> Any: ...  # noqa: ANN401 - a context manager of whatever kind

    async def rebalance(self) -> None:
        """Take every shard away, and give it back, if there is a member."""
        ...

    def left(self) -> int:
        """Count what would come to a new member."""
        ...


class Partitions:
    """Kafka in small: a log for each partition, and what is not committed is read again."""

    def __init__(self, acknowledged: Callable[[Delivery], None], count: int = 2) -> None:
        self._acknowledged = acknowledged
        self._logs: list[list[Record]] = [[] for _ in range(count)]
        self._committed = [0] * count
        self._positions = [0] * count
        self._progress = [Contiguous() for _ in range(count)]
        self._revoked: Revoked | None = None
        self._revoking = False
        self.switch = Switch("broker")
        self.lose = False

    async def publish(self, record: Record) -> None:
        self._logs[sum(record.key.encode()) % len(self._logs)].append(record)

    async def check(self) -> None: ...

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[Subscription]:
        del group, topics
        self.switch.need()
        self._forget()
        self._revoked = revoked
        try:
            yield self
        finally:
            self._revoked = None

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        await asyncio.sleep(0)
        self.switch.need()
        if self.lose:
            self.lose = False
            raise SubscriptionLostError("broker", "session expired")
        deliveries = [] if self._revoking else self._take(limit)
        if not deliveries:
            await asyncio.sleep(0.25)
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        await asyncio.sleep(0.01)
        self.switch.need()
        for delivery in deliveries:
            self._acknowledged(delivery)
            progress, offset = delivery.token  # pyright: ignore[reportGeneralTypeIssues]
            progress.finish(offset, 0.0)

    async def flush(self) -> None:
        self.switch.need()
        self.commit()

    def unsettled_seconds(self) -> float:
        return 0.0

    async def waiting(self) -> Mapping[str, int]:
        return {}

    def commit(self) -> None:
        for partition, progress in enumerate(self._progress):
            if progress.position is not None:
                self._committed[partition] = progress.position

    async def rebalance(self) -> None:
        if self._revoked is not None and not self._revoking:
            self._revoking = True
            await self._revoked([f"{partition}" for partition in range(len(self._logs))])
            self.commit()
            self._forget()
            self._revoking = False

    def left(self) -> int:
        self.commit()
        return sum(map(len, self._logs)) - sum(self._committed)

    def _forget(self) -> None:
        self._positions = self._committed.copy()
        self._progress = [Contiguous() for _ in self._logs]

    def _take(self, limit: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for partition, log in enumerate(self._logs):
            at = self._positions[partition]
            for offset, record in enumerate(log[at : at + limit - len(deliveries)], at):
                self._progress[partition].add([offset])
                token = self._progress[partition], offset
                deliveries.append(
                    Delivery(record, f"{partition}/{offset}", token, shard=f"{partition}")
                )
                self._positions[partition] = offset + 1
        return deliveries


class Memory(MemoryTransport):
    """The memory transport, whose keys are taken away and given back."""

    def __init__(self, acknowledged: Callable[[Delivery], None]) -> None:
        super().__init__()
        self._acknowledged = acknowledged
        self._subscription: MemorySubscription | None = None
        self._revoked: Revoked | None = None
        self._published_keys: set[str] = set()
        self._done = 0
        self._count = 0
        self.switch = Switch("broker")
        self.lose = False

    async def publish(self, record: Record) -> None:
        self._count += 1
        self._published_keys.add(f"{record.topic}/{record.key}")
        await super().publish(record)

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[Any]:
        self.switch.need()
        async with super().subscribe(group, topics, revoked) as subscription:
            self._subscription, self._revoked = subscription, revoked
            try:
                yield self
            finally:
                self._subscription, self._revoked = None, None

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        self.switch.need()
        if self.lose:
            self.lose = False
            raise SubscriptionLostError("broker", "session expired")
        assert self._subscription is not None
        return await self._subscription.fetch(limit)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        await asyncio.sleep(0.01)
        self.switch.need()
        assert self._subscription is not None
        for delivery in deliveries:
            self._acknowledged(delivery)
        await self._subscription.acknowledge(deliveries)

    async def flush(self) -> None: ...

    def unsettled_seconds(self) -> float:
        return 0.0

    async def waiting(self) -> Mapping[str, int]:  # pyright: ignore[reportIncompatibleMethodOverride] - it is its own subscription
        return {}

    async def rebalance(self) -> None:
        if self._revoked is not None and self._subscription is not None:
            subscription, tokens = self._subscription, set(self._subscription.tokens)
            await self._revoked(self._published_keys)
            self.release(tokens)
            subscription.tokens -= tokens

    def left(self) -> int:
        return sum(len(records) for records in self._lanes.values())


class LettersInMemory(DeadLetters):
    """Dead letters by event id."""

    def __init__(self, database: Switch, halts: "HaltsInMemory") -> None:
        self._switch = database
        self._halted = halts
        self.written: dict[str, DeadLetter] = {}

    async def record(self, letter: DeadLetter, consequence: object = None) -> None:  # noqa: ARG002 - nothing follows here
        await asyncio.sleep(0.01)
        self._switch.need()
        self.written.setdefault(event_id(letter.record), letter)

    async def record_suspended(self, letter: DeadLetter) -> bool:
        await asyncio.sleep(0.01)
        self._switch.need()
        if letter.tenant not in self._halted.suspended:
            return False
        self.written.setdefault(event_id(letter.record), letter)
        return True


class HaltsInMemory(Halts):
    """Halts without a table, and without a cache."""

    def __init__(self, database: Switch) -> None:
        self._switch = database
        self.suspended: dict[Ulid, str] = {}
        self.halted: str | None = None
        self._told_at: float | None = None
        """Since when whoever asks is answered that the consumer is halted."""

    def is_known_free(self, tenant: Ulid) -> bool:
        del tenant
        return False

    async def is_suspended(self, tenant: Ulid) -> bool:
        await asyncio.sleep(0)
        self._switch.need()
        return tenant in self.suspended

    async def suspend(self, tenant: Ulid, reason: str) -> None:
        await asyncio.sleep(0.01)
        self._switch.need()
        self.suspended.setdefault(tenant, reason)

    def forget(self) -> None: ...

    async def circuit(self) -> str | None:
        await asyncio.sleep(0)
        self._switch.need()
        self._tell()
        return self.halted

    async def open_circuit(self, reason: str) -> None:
        await asyncio.sleep(0.01)
        self._switch.need()
        self.halted = self.halted or reason
        self._tell()
        asyncio.get_running_loop().call_later(OPERATOR_SECONDS, self._go_on)

    def told_for(self, seconds: float) -> bool:
        """Tell whether the consumer has known for so long that it is halted."""
        now = asyncio.get_running_loop().time()
        return self._told_at is not None and now - self._told_at >= seconds

    def _tell(self) -> None:
        if self.halted is None:
            self._told_at = None
        elif self._told_at is None:
            self._told_at = asyncio.get_running_loop().time()

    def _go_on(self) -> None:
        self.halted = None


def event_id(record: Record) -> str:
    return header(record, "ce_id") or ""
