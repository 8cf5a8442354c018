"""Sees to it that a session gets on, and that it is seen when it does not."""

import asyncio
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import structlog

from common.broker.engine.acknowledgements import Acknowledgements
from common.broker.engine.held import Held
from common.broker.engine.lanes import Lanes
from common.broker.engine.limits import Limits
from common.broker.engine.measures import Measures
from common.broker.transport import Subscription
from common.errors import DependencyDown

log = structlog.get_logger()

_LOOK_SECONDS = 5.0


class Watchdog:
    """Looks every few seconds: at the lag, at handlers that take long, at whether work is done."""

    def __init__(
        self,
        lanes: Lanes,
        acknowledgements: Acknowledgements,
        subscription: Subscription,
        measures: Measures,
        *,
        limits: Limits,
        waits: Callable[[], bool],
    ) -> None:
        """Ask `waits` whether the consumer has a reason to stand still."""
        self._lanes = lanes
        self._acknowledgements = acknowledgements
        self._subscription = subscription
        self._measures = measures
        self._limits = limits
        self._waits = waits
        self._settled = 0
        self._got_on_at = asyncio.get_running_loop().time()

    def stalled(self) -> str | None:
        """Say so when there was work for too long and none of it was settled."""
        seconds = asyncio.get_running_loop().time() - self._got_on_at
        if self._waits() or seconds < self._limits.stall_seconds:
            return None
        return f"no record settled for {seconds:.0f} s, and {len(self._lanes)} held"

    async def run(self) -> None:
        """Look until cancelled."""
        every = min(_LOOK_SECONDS, self._limits.slow_seconds / 2, self._limits.stall_seconds / 2)
        while True:
            waiting = await self._waiting()
            self._measures.show(self._lanes, self._acknowledgements, waiting)
            self._look(waiting)
            await asyncio.sleep(every)

    async def _waiting(self) -> Mapping[str, int]:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._subscription.waiting()
        except (DependencyDown, TimeoutError):
            return {}  # whoever reads meets the same, and says so

    def _look(self, waiting: Mapping[str, int]) -> None:
        now, resting = asyncio.get_running_loop().time(), False
        for held in self._lanes.heads():
            resting = resting or held.state == "resting"
            if held.state == "running" and not held.reported:
                self._report_slow(held, now - held.started_at)
        has_work = len(self._lanes) > 0 or any(waiting.values())
        if resting or not has_work or self._waits() or self._lanes.settled != self._settled:
            self._got_on_at = now
        self._settled = self._lanes.settled

    def _report_slow(self, held: Held, seconds: float) -> None:
        if seconds >= self._limits.slow_seconds and held.task is not None:
            held.reported = True
            log.warning(
                "handler takes long",
                topic=held.delivery.record.topic,
                record_id=held.delivery.record_id,
                seconds=round(seconds, 1),
                stack=stack_of(held.task),
            )


def stack_of(task: asyncio.Task[Any]) -> str:
    """Return where a task waits, outermost call first, without the values of variables.

    `Task.get_stack` knows the outermost coroutine only.
    """
    frames = ((frame, frame.f_lineno) for frame in _frames(task.get_coro()))
    return "".join(traceback.StackSummary.extract(frames).format()).rstrip()


def _frames(awaited: Any) -> Iterator[FrameType]:  # noqa: ANN401 - whatever can be awaited
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
