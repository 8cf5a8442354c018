"""One subscription at work: read, handle in lanes, acknowledge, give back."""

import asyncio
from collections.abc import Collection

import structlog

from common.broker.engine.acknowledgements import Acknowledgements
from common.broker.engine.halting import Halting
from common.broker.engine.handling import Handling
from common.broker.engine.held import Held
from common.broker.engine.lanes import Lanes
from common.broker.engine.limits import Limits
from common.broker.engine.measures import Measures
from common.broker.engine.watchdog import Watchdog
from common.broker.engine.window import Window
from common.broker.engine.workers import Workers
from common.broker.outage import Outage, wait_unless
from common.broker.transport import Subscription, SubscriptionLostError
from common.errors import DependencyDown

log = structlog.get_logger()

_READING = "reading"
_CANCEL_SECONDS = 1.0
_LAST_SECONDS = 2.0


class Session:
    """What one process holds of its group's records, from joining until leaving."""

    def __init__(
        self,
        subscription: Subscription,
        handling: Handling,
        outage: Outage,
        halting: Halting,
        *,
        measures: Measures,
        limits: Limits,
    ) -> None:
        """Prepare to work; `run` begins."""
        self._subscription = subscription
        self._outage = outage
        self._halting = halting
        self._measures = measures
        self._limits = limits
        self._lanes = Lanes(limits.per_tenant)
        self._window = Window(limits.window_records, limits.window_bytes)
        self._acknowledgements = Acknowledgements(subscription, outage, self._go_on)
        self._workers = Workers(
            self._lanes,
            handling,
            outage,
            halting,
            finished=self._acknowledgements.add,
            concurrency=limits.concurrency,
            resumed=self._go_on,
        )
        self.watchdog = Watchdog(
            self._lanes,
            self._acknowledgements,
            subscription,
            measures,
            limits=limits,
            waits=lambda: halting.reason is not None or outage.reason is not None,
        )
        self._moved = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then drain. Raises `SubscriptionLostError` when it ended.

        Cancelled, it cuts its handlers short, and acknowledges what is finished all the same.
        """
        try:
            lost = await self._work(stop)
        except asyncio.CancelledError:
            await self._acknowledge_the_rest()
            raise
        await self._acknowledge_the_rest()
        if lost is not None:
            raise lost

    async def give_back(self, shards: Collection[str] | None) -> None:
        """Let go of these shards, or of all: wait for their handlers, drop what none has begun.

        Handlers that outlast the time to drain are cancelled, and their records come again.
        """
        running = self._lanes.drop(shards)
        await _gone(running, self._limits.drain_seconds)
        late = [held for held in running if held.state != "gone"]
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

    async def _work(self, stop: asyncio.Event) -> SubscriptionLostError | None:
        async with asyncio.TaskGroup() as tasks:
            self._workers.open(tasks)
            helpers = (
                tasks.create_task(self._acknowledgements.run(stop)),
                tasks.create_task(self._halting.keep_looking(self._go_on)),
                tasks.create_task(self.watchdog.run()),
                tasks.create_task(self._close_on(stop)),
            )
            lost = await self._read(stop)
            self._workers.close()
            await self.give_back(None)
            for helper in helpers:
                helper.cancel()
        return lost

    async def _close_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._workers.close()
        self._moved.set()

    async def _read(self, stop: asyncio.Event) -> SubscriptionLostError | None:
        while not stop.is_set():
            room = 0 if self._workers.standing else self._room()
            if room <= 0:
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

    def _room(self) -> int:
        return self._window.room(self._in_flight, self._lanes.size + self._acknowledgements.size)

    def _go_on(self) -> None:
        self._measures.in_flight.set(self._in_flight)
        self._moved.set()
        self._workers.go_on()

    async def _acknowledge_the_rest(self) -> None:
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._acknowledgements.hand_over()
                await self._subscription.flush()
        except (DependencyDown, TimeoutError) as error:
            log.warning("finished records will come again", cause=str(error) or "no answer")

    @property
    def _in_flight(self) -> int:
        return len(self._lanes) + len(self._acknowledgements)


async def _gone(held: list[Held], seconds: float) -> None:
    """Wait until all of these left their lanes, at most so long."""
    waiting = [each.gone() for each in held if each.state != "gone"]
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
