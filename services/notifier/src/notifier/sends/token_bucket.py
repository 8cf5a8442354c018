"""How fast one sender may send."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Self

_BURST_SECONDS: Final = 0.2  # of the rate, at once; at least one


class TokenBucket:
    """Tokens that come back at a rate. It knows the time only from its callers: the database's.

    Whoever holds the sender's job holds its bucket. Nobody hands it over: the next holder makes an
    equal one from the times at which parts were claimed.
    """

    def __init__(self, rate: float, *, now: datetime) -> None:
        """Start full; `rate` is tokens per second."""
        self._rate = rate
        self._burst = max(1.0, rate * _BURST_SECONDS)
        self._level = self._burst
        self._at = now

    @classmethod
    def replayed(cls, rate: float, spent: Iterable[datetime], *, now: datetime) -> Self:
        """Return the bucket from which a token was taken at each of `spent`."""
        bucket = cls(rate, now=now - cls.memory(rate))
        for at in sorted(spent):
            bucket._refill(at)
            bucket._level -= 1
        bucket._refill(now)
        return bucket

    @staticmethod
    def memory(rate: float) -> timedelta:
        """Return how long ago a token was spent that no longer matters."""
        return timedelta(seconds=max(1.0, rate * _BURST_SECONDS) / rate)

    def take(self, now: datetime) -> bool:
        """Take a token if there is one."""
        self._refill(now)
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def wait(self, now: datetime) -> timedelta:
        """Return how long until there is a token; zero when there is one."""
        self._refill(now)
        return timedelta(seconds=max(0.0, 1 - self._level) / self._rate)

    def _refill(self, now: datetime) -> None:
        passed = max(0.0, (now - self._at).total_seconds())  # the database's clock may step back
        self._level = min(self._burst, self._level + passed * self._rate)
        self._at = max(self._at, now)
