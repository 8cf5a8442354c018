"""Finished records on their way back to the transport: in batches, one call at a time."""

import asyncio
from collections.abc import Callable

from common.broker.engine.held import Held
from common.broker.outage import Outage, wait_unless
from common.broker.transport import Delivery, Subscription
from common.errors import DependencyDown

_ACKNOWLEDGING = "acknowledging"


class Acknowledgements:
    """What one subscription was not yet told."""

    def __init__(
        self, subscription: Subscription, outage: Outage, moved: Callable[[], None]
    ) -> None:
        """Call `moved` whenever records were acknowledged."""
        self._subscription = subscription
        self._outage = outage
        self._moved = moved
        self._now = asyncio.get_running_loop().time
        self._finished: list[Delivery] = []
        self._since = 0.0
        """When the first of them was finished."""
        self.size = 0
        """Bytes of all records that wait."""
        self._some = asyncio.Event()
        self._one_call = asyncio.Lock()

    def __len__(self) -> int:
        """Count the records that wait."""
        return len(self._finished)

    def age(self) -> float:
        """Return for how many seconds the oldest record is finished that would yet come again."""
        own = self._now() - self._since if self._finished else 0.0
        return max(own, self._subscription.unsettled_seconds())

    def add(self, held: Held) -> None:
        """Take over a finished record."""
        if not self._finished:
            self._since = self._now()
            self._some.set()
        self._finished.append(held.delivery)
        self.size += held.size

    async def run(self, stop: asyncio.Event) -> None:
        """Acknowledge until cancelled; while the broker is away the consumer pauses for it."""
        while True:
            await self._some.wait()
            try:
                await self.hand_over()
            except DependencyDown as error:
                if stop.is_set():
                    return  # who drains tries once more, and what fails then will come again
                await wait_unless(stop, self._outage.begins(_ACKNOWLEDGING, error))
            else:
                self._moved()

    async def hand_over(self) -> None:
        """Acknowledge what is finished now, and end the pause for it, whoever began that.

        Raises `DependencyDown`; nothing is forgotten then.
        """
        async with self._one_call:
            batch, size, now = self._finished.copy(), self.size, self._now()
            if batch:
                await self._subscription.acknowledge(batch)
                del self._finished[: len(batch)]
                self.size -= size
                self._since = now  # the rest was finished later
            if not self._finished:
                self._some.clear()
            self._outage.ends(_ACKNOWLEDGING)
