"""Dependencies that are away: each is told once when it goes and once when it is back."""

import random
import time
from datetime import timedelta

import structlog

from common.errors import DependencyDown
from common.jobs.policy import RetryPolicy

log = structlog.get_logger()


class Outages:
    """What is away, since when, and who waits for it."""

    def __init__(self, policy: RetryPolicy) -> None:
        """Rest as `policy` says while something is away."""
        self._policy = policy
        self._since: dict[str, float] = {}
        self._waiting: dict[str, str] = {}

    def failed(self, who: str, error: DependencyDown) -> timedelta:
        """Note that `who` could not work, and tell how long it should rest."""
        now = time.monotonic()
        self._waiting[who] = error.dependency
        if error.dependency not in self._since:
            log.warning("dependency away", dependency=error.dependency, cause=error.cause, who=who)
        lasted = now - self._since.setdefault(error.dependency, now)
        return self._policy.rest_while_away(lasted, random.random())  # noqa: S311 - jitter

    def worked(self, who: str) -> None:
        """Note that `who` got on: what it waited for is back."""
        dependency = self._waiting.pop(who, "")
        since = self._since.pop(dependency, None)
        if since is not None:
            seconds = round(time.monotonic() - since, 1)
            log.info("dependency back", dependency=dependency, seconds=seconds)
