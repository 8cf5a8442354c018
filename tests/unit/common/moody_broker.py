"""A memory transport with moods."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from common.broker.memory import MemorySubscription, MemoryTransport
from common.broker.transport import Delivery, Revoked, Subscription
from common.errors import DependencyDown
from common.events import Topic, encode
from common.testing.broker import message


class Moody:
    """A memory transport that takes shards away, and cannot be read, when it is told to."""

    def __init__(self) -> None:
        self._transport = MemoryTransport()
        self._revoked: Revoked | None = None
        self.subscription: MemorySubscription | None = None
        self.trouble: DependencyDown | None = None
        self.refused = asyncio.Event()
        self.being_read = False
        self.publish = self._transport.publish
        self.check = self._transport.check

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[Subscription]:
        self._revoked = revoked
        async with self._transport.subscribe(group, topics, revoked) as self.subscription:
            self.acknowledge, self.flush = self.subscription.acknowledge, self.subscription.flush
            self.waiting = self.subscription.waiting
            self.unsettled_seconds = self.subscription.unsettled_seconds
            yield self

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        assert self.subscription is not None
        if self.trouble is not None:
            self.refused.set()
            raise self.trouble
        self.being_read = True
        deliveries = await self.subscription.fetch(limit)
        self.being_read = False
        return deliveries

    async def take_away(self, contact: str) -> None:
        """Take the contact's shard away, and give it back as a rebalance would."""
        assert self.subscription is not None
        assert self._revoked is not None
        record = encode(message(contact))
        await self._revoked([f"{record.topic}/{record.key}"])
        self._transport.release(self.subscription.tokens)
