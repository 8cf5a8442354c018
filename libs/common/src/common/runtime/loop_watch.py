"""Notices when the event loop stands still, and says over what: nothing else can, meanwhile."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import Gauge

from common.observability.metrics import Metrics
from common.runtime.health import Health

log = structlog.get_logger()

_BEAT_SECONDS = 0.25


@asynccontextmanager
async def watched_loop(health: Health, metrics: Metrics, *, seconds: float) -> AsyncGenerator[None]:
    """Watch the running loop meanwhile; not alive, and in the log, once it stood for `seconds`."""
    watch = LoopWatch(metrics.event_loop_lag_seconds, seconds)
    health.add_liveness("event loop", watch.check)
    beating = asyncio.create_task(watch.beat())
    thread = threading.Thread(target=watch.guard, name="loop-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        beating.cancel()
        watch.over.set()
        thread.join()


class LoopWatch:
    """A pulse in the loop, and a thread that feels it."""

    def __init__(self, lag: Gauge, seconds: float) -> None:
        """Watch the loop of this thread."""
        self._lag = lag
        self._seconds = seconds
        self._every = min(_BEAT_SECONDS, seconds / 4)
        self._thread = threading.get_ident()
        self._beat_at = time.monotonic()
        self.over = threading.Event()

    async def beat(self) -> None:
        """Beat until cancelled, and show how late each beat is."""
        while True:
            await asyncio.sleep(self._every)
            now = time.monotonic()
            self._lag.set(max(0.0, now - self._beat_at - self._every))
            self._beat_at = now

    def guard(self) -> None:
        """Log the stack of whoever holds the loop, once each time; in a thread, until over."""
        reported = 0.0
        while not self.over.wait(self._every):
            beat_at = self._beat_at
            seconds = time.monotonic() - beat_at
            if seconds >= self._seconds and beat_at != reported:
                reported = beat_at
                log.error("event loop stands still", seconds=round(seconds, 1), stack=self._stack())

    async def check(self) -> str | None:
        """Say since when the last beat was too long ago."""
        seconds = time.monotonic() - self._beat_at
        return None if seconds < self._seconds else f"stood still for {seconds:.0f} s"

    def _stack(self) -> str:
        # there is no other way to see what another thread does
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._thread)
        return "".join(traceback.format_stack(frame)).rstrip()
