"""The running part: so many keys at a time, a pause as a whole, one record as the probe."""

import asyncio
from collections.abc import Callable

from common.broker.engine.halting import Halting
from common.broker.engine.handling import Handling
from common.broker.engine.held import Held
from common.broker.engine.lanes import Lanes
from common.broker.outage import Outage
from common.errors import DependencyDown

_HANDLING = "handling"


class Workers:
    """Take records out of the lanes and bring each to its outcome."""

    def __init__(
        self,
        lanes: Lanes,
        handling: Handling,
        outage: Outage,
        halting: Halting,
        *,
        finished: Callable[[Held], None],
        concurrency: int,
        resumed: Callable[[], None],
    ) -> None:
        """Hand what is settled to `finished`, unless it was taken away meanwhile.

        `resumed` is called when the handlers are well again; it lets whoever waits for that go on.
        """
        self._lanes = lanes
        self._handling = handling
        self._outage = outage
        self._halting = halting
        self._finished = finished
        self._concurrency = concurrency
        self._resumed = resumed
        self._running = 0
        self._probed: Held | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._now = asyncio.get_running_loop().time

    @property
    def standing(self) -> bool:
        """Whether nothing more should be read: a handler waits for its dependency, or it halted."""
        return self._halting.reason is not None or self._outage.met_by(_HANDLING)

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to take records, as tasks of this group."""
        self._tasks = tasks

    def close(self) -> None:
        """Take no further record; what runs goes on."""
        self._tasks = None

    def go_on(self) -> None:
        """Take what is ready, as far as there are free slots and nothing to wait for.

        One worker begins, and does everything if no handler waits; others take what it leaves.
        """
        if self._start_one():
            asyncio.get_running_loop().call_soon(self._start_others)

    def _start_others(self) -> None:
        while self._start_one():
            pass

    def _start_one(self) -> bool:
        held = self._next() if self._running < self._concurrency else None
        if held is not None:
            self._start(held)
        return held is not None

    def _next(self) -> Held | None:
        halted = self._halting.reason is not None
        if self._tasks is None or halted or self._outage.reason is not None:
            return None
        return self._lanes.take(self._now())

    def _start(self, held: Held) -> None:
        if self._tasks is not None:
            self._running += 1
            held.task = self._tasks.create_task(self._work(held))

    async def _work(self, first: Held) -> None:
        held, task = first, first.task
        try:
            while held is not None:
                held.task = task
                try:
                    delay = await self._handling.settle(held)
                except DependencyDown as error:
                    self._put_off(held, error)
                except BaseException:  # cut short: it was not finished and comes again
                    self._lanes.settle(held)
                    self._well_again(held)
                    raise
                else:
                    self._settled(held, delay)
                held = self._next()
        finally:
            self._running -= 1

    def _settled(self, held: Held, delay: float | None) -> None:
        if delay is None and not held.lost:
            self._finished(held)
        if delay is None or held.leaving:
            self._lanes.settle(held)
        else:
            self._lanes.rest(held)
            asyncio.get_running_loop().call_later(delay, self._wake, held)
        self._well_again(held)

    def _wake(self, held: Held) -> None:
        self._lanes.wake(held)
        self.go_on()

    def _put_off(self, held: Held, error: DependencyDown) -> None:
        if held.leaving:
            self._lanes.settle(held)
        else:
            self._lanes.put_back(held)
        if held is self._probed or not self._outage.met_by(_HANDLING):
            self._probed = None
            delay = self._outage.begins(_HANDLING, error)
            asyncio.get_running_loop().call_later(delay, self._probe)

    def _probe(self) -> None:
        """Let the record that met the outage tell whether it is over."""
        if self._tasks is None:
            return
        held = None if self._halting.reason is not None else self._lanes.take(self._now())
        if held is None:
            self._resume()
        else:
            self._probed = held
            self._start(held)

    def _well_again(self, held: Held) -> None:
        if held is self._probed:
            self._probed = None
            self._resume()

    def _resume(self) -> None:
        self._outage.ends(_HANDLING)
        self._resumed()
