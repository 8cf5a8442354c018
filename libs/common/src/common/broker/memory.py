"""Records in the memory of one process: the promises of a transport but for durability."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from common.broker.transport import Delivery, Revoked
from common.events import Record, Topic

_Lane = tuple[str, str]
_WAIT_SECONDS = 0.25


class MemoryTransport:
    """One topic has one group, so a record is gone once it is acknowledged."""

    def __init__(self) -> None:
        """Start empty."""
        self._lanes: dict[_Lane, deque[tuple[str, Record]]] = defaultdict(deque)
        self._taken: dict[_Lane, int] = {}
        self._published = 0
        self._claims = 0
        self._news = asyncio.Event()

    async def publish(self, record: Record) -> None:
        """See `Transport.publish`."""
        self._published += 1
        self._lanes[record.topic, record.key].append((str(self._published), record))
        self._news.set()

    async def check(self) -> None:
        """See `Transport.check`: it is always there."""

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator["MemorySubscription"]:
        """See `Transport.subscribe`."""
        del group, revoked
        subscription = MemorySubscription(self, frozenset(topic.name for topic in topics))
        try:
            yield subscription
        finally:
            self.release(subscription.tokens)

    async def wait_for_news(self) -> None:
        """Return when something may have become free to take, or after a short while."""
        self._news.clear()
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass

    def claim(self, topics: frozenset[str], limit: int) -> list[Delivery]:
        """Take the oldest record of each key that nobody holds."""
        deliveries: list[Delivery] = []
        for lane, records in self._lanes.items():
            if lane[0] in topics and records and lane not in self._taken:
                if len(deliveries) == limit:
                    break
                self._claims += 1
                self._taken[lane] = self._claims
                record_id, record = records[0]
                deliveries.append(Delivery(record, record_id, self._claims, shard="/".join(lane)))
        return deliveries

    def remove(self, delivery: Delivery) -> None:
        """Forget a record, if this delivery of it still counts."""
        lane = delivery.record.topic, delivery.record.key
        if self._taken.get(lane) == delivery.token:
            del self._taken[lane]
            self._lanes[lane].popleft()
            if not self._lanes[lane]:
                del self._lanes[lane]
            self._news.set()

    def waiting(self, topics: Collection[str], tokens: Collection[object]) -> Counter[str]:
        """Count what is free to take, and what waits behind the records of these deliveries."""
        waiting = Counter[str]()
        for lane, records in self._lanes.items():
            holder = self._taken.get(lane)
            if lane[0] in topics and (holder is None or holder in tokens):
                waiting[lane[0]] += len(records) - (holder is not None)
        return waiting

    def release(self, tokens: Iterable[object]) -> None:
        """Make the records of these deliveries free to take again."""
        given_back = set(tokens)
        self._taken = {
            lane: token for lane, token in self._taken.items() if token not in given_back
        }
        self._news.set()


class MemorySubscription:
    """See `Subscription`."""

    def __init__(self, transport: MemoryTransport, topics: frozenset[str]) -> None:
        """Read these topics."""
        self._transport = transport
        self._topics = topics
        self.tokens: set[object] = set()

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.fetch`."""
        deliveries = self._transport.claim(self._topics, limit)
        if not deliveries:
            await self._transport.wait_for_news()
            deliveries = self._transport.claim(self._topics, limit)
        self.tokens.update(delivery.token for delivery in deliveries)
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Subscription.acknowledge`."""
        for delivery in deliveries:
            self._transport.remove(delivery)
            self.tokens.discard(delivery.token)

    async def flush(self) -> None:
        """See `Subscription.flush`: nothing is kept back."""

    def unsettled_seconds(self) -> float:
        """See `Subscription.unsettled_seconds`: nothing is kept back."""
        return 0.0

    async def waiting(self) -> Mapping[str, int]:
        """See `Subscription.waiting`."""
        return self._transport.waiting(self._topics, self.tokens)
