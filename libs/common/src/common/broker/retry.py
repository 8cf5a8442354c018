"""When a record that failed is tried again, and when it is given up."""

import random
from dataclasses import dataclass
from typing import Self

from common.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter, in seconds, bounded in attempts and in time.

    Full jitter (any time between nothing and the upper end) spreads the retries of many keys that
    failed together: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter.
    """

    attempts: int
    first: float
    longest: float
    budget: float = 60.0
    """A record that began to fail this long ago is given up whatever its attempts."""

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        """Take what the operator chose."""
        return cls(
            attempts=settings.retry_attempts,
            first=settings.retry_first_seconds,
            longest=settings.retry_longest_seconds,
        )

    def delay(self, attempts: int, failing_for: float) -> float | None:
        """Return the wait before the next attempt, or None when the record is to be given up.

        `attempts` failed so far, the first of them `failing_for` seconds ago.
        """
        if attempts >= self.attempts or failing_for >= self.budget:
            return None
        return random.uniform(0.0, self.upper_end(attempts))  # noqa: S311 - jitter guards nothing

    def upper_end(self, attempts: int) -> float:
        """Return the longest wait after so many failed attempts."""
        return min(self.longest, self.first * 2.0 ** (attempts - 1))
