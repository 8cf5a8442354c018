"""How often a failing job is tried, how long it rests: functions of numbers, chance passed in."""

import traceback
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from common.backoff import upper_end
from common.settings import JobSettings, KindRetry

_LONGEST_WHILE_AWAY = 15.0  # seconds: the work itself is sound, and goes on soon after the outage


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many attempts (None: no end), and the longest first and later rests, in seconds."""

    attempts: int | None
    first: float
    longest: float

    @classmethod
    def of(cls, settings: JobSettings, kind: str | None = None) -> Self:
        """Read it from the settings: that of a kind, or the one for all that have none."""
        own = settings.retry_kinds.get(kind or "", KindRetry())
        return cls(
            own.attempts or settings.retry_attempts,
            own.first_seconds or settings.retry_first_seconds,
            own.longest_seconds or settings.retry_longest_seconds,
        )

    def without_end(self) -> Self:
        """Rest in the same way, and never give up."""
        return replace(self, attempts=None)

    def is_spent(self, attempts: int) -> bool:
        """Tell whether an attempt that failed was the last."""
        return self.attempts is not None and attempts >= self.attempts

    def is_overspent(self, attempts: int) -> bool:
        """Tell whether a claim comes after the last attempt: that one ended with its process."""
        return self.attempts is not None and attempts > self.attempts

    def rest(self, attempts: int, chance: float) -> timedelta:
        """Rest anywhere between nothing and an end that doubles; `chance` is in [0, 1)."""
        return timedelta(seconds=chance * upper_end(self.first, self.longest, attempts))

    def rest_while_away(self, lasted: float, chance: float) -> timedelta:
        """Rest about as long as the outage has lasted, which needs no count of attempts."""
        end = max(self.first, min(lasted, _LONGEST_WHILE_AWAY))
        return timedelta(seconds=end * (0.5 + chance / 2))


def reason_of(error: Exception) -> str:
    """Say what failed in one short line: what follows it in a driver's message quotes rows."""
    lines = str(error).splitlines()
    said = f": {lines[0]}" if lines else ""
    printable = (type(error).__name__ + said).encode("utf-8", "replace").decode()
    return printable.replace("\0", "")[:200]


def stack_of(error: Exception) -> str:
    """Say where it was raised, without the values that its own text may quote."""
    return "".join(traceback.format_tb(error.__traceback__))
