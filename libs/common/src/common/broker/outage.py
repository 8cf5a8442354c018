"""The pause: why the consumer waits, and when to see whether it still must."""

import asyncio
import random
import time

import structlog

from common.backoff import upper_end
from common.errors import DependencyDown
from common.observability.metrics import Metrics

log = structlog.get_logger()


class Outage:
    """What keeps one consumer from going on: at most one reason for each source that met it.

    A source is whatever can tell by trying whether its dependency is back: the handlers, the
    reading, the acknowledging. The consumer goes on when all of them are well again.
    """

    def __init__(
        self, group: str, metrics: Metrics, *, first: float = 0.25, longest: float = 15.0
    ) -> None:
        """Probe after about `first` seconds, then at growing distances up to `longest`."""
        self._group = group
        self._paused = metrics.consumer_paused.labels(group)
        self._pauses = metrics.consumer_pauses.labels(group)
        self._first = first
        self._longest = longest
        self._probes: dict[str, int] = {}
        self._since = 0.0
        self.reason: str | None = None

    def met_by(self, source: str) -> bool:
        """Whether this source waits."""
        return source in self._probes

    def begins(self, source: str, error: DependencyDown) -> float:
        """Note what a source met, or met again; return the seconds until it should try again."""
        if not self._probes:
            self._since = time.monotonic()
            self._paused.set(1)
            self._pauses.inc()
            log.warning(
                "consumer paused",
                group=self._group,
                dependency=error.dependency,
                cause=error.cause,
            )
        self.reason = str(error)
        self._probes[source] = probes = self._probes.get(source, 0) + 1
        end = upper_end(self._first, self._longest, probes)
        return random.uniform(end / 2, end)  # noqa: S311 - jitter guards nothing

    def ends(self, source: str) -> bool:
        """Note that a source is well; tell whether the consumer goes on now, having been paused."""
        if self._probes.pop(source, None) is None or self._probes:
            return False
        self.reason = None
        self._paused.set(0)
        seconds = round(time.monotonic() - self._since, 3)
        log.info("consumer goes on", group=self._group, seconds=seconds)
        return True

    def narrow_to(self, source: str) -> None:
        """Forget every other source: what they tried ended with their session."""
        self._probes = {source: self._probes[source]}


async def wait_unless(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
