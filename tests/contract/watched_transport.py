"""A transport that passes everything on, and is watched meanwhile."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from common.broker.transport import Delivery, Revoked, Subscription, Transport, size_of
from common.events import Topic


class WatchedTransport:
    """Notes how many records, and bytes of them, were in the consumer's hands at most."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.most_held = 0
        self.most_bytes = 0
        self.publish = transport.publish
        self.check = transport.check

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[Subscription]:
        async with self._transport.subscribe(group, topics, revoked) as subscription:
            yield WatchedSubscription(subscription, self)


class WatchedSubscription:
    def __init__(self, subscription: Subscription, transport: WatchedTransport) -> None:
        self._subscription = subscription
        self._transport = transport
        self._held = 0
        self._bytes = 0

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        deliveries = await self._subscription.fetch(limit)
        self._held += len(deliveries)
        self._bytes += sum(size_of(delivery.record) for delivery in deliveries)
        self._transport.most_held = max(self._transport.most_held, self._held)
        self._transport.most_bytes = max(self._transport.most_bytes, self._bytes)
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        await self._subscription.acknowledge(deliveries)
        self._held -= len(deliveries)
        self._bytes -= sum(size_of(delivery.record) for delivery in deliveries)

    async def flush(self) -> None:
        await self._subscription.flush()

    def unsettled_seconds(self) -> float:
        return self._subscription.unsettled_seconds()

    async def waiting(self) -> Mapping[str, int]:
        return await self._subscription.waiting()
