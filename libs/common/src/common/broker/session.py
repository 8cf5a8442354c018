"""One subscription at work: read, handle in lanes, acknowledge, give back."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from common.broker.acknowledgements import Acknowledgements
from common.broker.handling import Handling
from common.broker.lanes import Held, Lanes, State
from common.broker.outage import Outage, wait_unless
from common.broker.transport import Subscription, SubscriptionLostError
from common.broker.workers import Workers
from common.errors import DependencyDown

log = structlog.get_logger()

_READING = "reading"
_CANCEL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one consumer takes upon itself."""

    concurrency: int
    """Keys handled at the same time."""
    window: int
    """Records taken and not yet acknowledged."""
    drain_seconds: float
    """For handlers to finish when their shard is taken away, or the process stops."""


class Session:
    """What one process holds of its group's records, from joining until leaving."""

    def __init__(
        self,
        subscription: Subscription,
        handling: Handling,
        outage: Outage,
        in_flight: Gauge,
        *,
        limits: Limits,
    ) -> None:
        """Prepare to work; `run` begins."""
        self._subscription = subscription
        self._outage = outage
        self._gauge = in_flight
        self._limits = limits
        self._lanes = Lanes()
        self._acknowledgements = Acknowledgements(subscription, outage, self._go_on)
        self._workers = Workers(
            self._lanes,
            handling,
            outage,
            self._acknowledgements.add,
            concurrency=limits.concurrency,
            resumed=self._go_on,
        )
        self._moved = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then drain. Raises `SubscriptionLostError` when it ended."""
        async with asyncio.TaskGroup() as tasks:
            self._workers.open(tasks)
            acknowledging = tasks.create_task(self._acknowledgements.run(stop))
            closing = tasks.create_task(self._close_on(stop))
            lost = await self._read(stop)
            self._workers.close()
            await self.give_back(None)
            acknowledging.cancel()
            closing.cancel()
        try:
            await self._subscription.flush()
        except DependencyDown as error:
            log.warning("finished records will come again", cause=str(error))
        if lost is not None:
            raise lost

    async def give_back(self, shards: Collection[str] | None) -> None:
        """Let go of these shards, or of all: wait for their handlers, drop what none has begun.

        Handlers that outlast the time to drain are cancelled, and their records come again.
        """
        running = self._lanes.drop(shards)
        await _gone(running, self._limits.drain_seconds)
        late = [held for held in running if held.state is not State.GONE]
        for held in late:
            log.warning("handler cut short", topic=held.delivery.record.topic)
            held.lost = True
            if held.task is not None:
                held.task.cancel()
        await _gone(late, _CANCEL_SECONDS)
        try:
            await self._acknowledgements.hand_over()
        except DependencyDown as error:
            log.warning("finished records will come again", cause=str(error))
        self._go_on()

    async def _close_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._workers.close()
        self._moved.set()

    async def _read(self, stop: asyncio.Event) -> SubscriptionLostError | None:
        while not stop.is_set():
            room = self._limits.window - self._in_flight
            if room <= 0 or self._workers.paused:
                self._moved.clear()
                await self._moved.wait()
                continue
            try:
                deliveries = await self._subscription.fetch(room)
            except SubscriptionLostError as lost:
                return lost
            except DependencyDown as error:
                await wait_unless(stop, self._outage.begins(_READING, error))
                continue
            for delivery in deliveries:
                self._lanes.add(delivery)
            if self._outage.ends(_READING) or deliveries:
                self._go_on()
        return None

    def _go_on(self) -> None:
        self._gauge.set(self._in_flight)
        self._moved.set()
        self._workers.go_on()

    @property
    def _in_flight(self) -> int:
        return len(self._lanes) + len(self._acknowledgements)


async def _gone(held: list[Held], seconds: float) -> None:
    """Wait until all of these left their lanes, at most so long."""
    waiting = [each.gone() for each in held if each.state is not State.GONE]
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
