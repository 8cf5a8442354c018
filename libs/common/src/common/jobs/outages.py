"""Dependencies that are away: each is told once when it goes and once when it is back."""

import random
import time
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from common.errors import DependencyDown
from common.jobs.policy import RetryPolicy

log = structlog.get_logger()

_OVER_SECONDS = 60.0
"""Who failed and never came back (another process did its work) holds up an outage no longer."""


Waiter = tuple[str, ...]
"""Who cannot work: first what it is, which is told; then which one, if there are many."""


@dataclass(slots=True)
class _Outage:
    since: float
    met_at: float
    waiting: set[Waiter] = field(default_factory=set[Waiter])


class Outages:
    """What is away, since when, and who waits for it.

    One that works says nothing of what others wait for: only they can tell that it is back.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        """Rest as `policy` says while something is away."""
        self._policy = policy
        self._away: dict[str, _Outage] = {}

    def failed(self, who: Waiter, error: DependencyDown) -> timedelta:
        """Note that `who` could not work, and tell how long it should rest."""
        now, name = time.monotonic(), error.dependency
        outage = self._away.get(name)
        if outage is None or now - outage.met_at > _OVER_SECONDS:
            outage = self._away[name] = _Outage(now, now)
            log.warning("dependency away", dependency=name, cause=error.cause, who=who[0])
        outage.met_at = now
        outage.waiting.add(who)
        return self._policy.rest_while_away(now - outage.since, random.random())  # noqa: S311 - jitter

    def worked(self, who: Waiter) -> None:
        """Note that `who` got on: what it waited for is back."""
        for name, outage in list(self._away.items()):
            if who in outage.waiting:
                del self._away[name]
                seconds = round(time.monotonic() - outage.since, 1)
                log.info("dependency back", dependency=name, seconds=seconds)
