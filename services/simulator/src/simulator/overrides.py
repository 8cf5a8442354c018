"""Connection overrides: what the fragment of a webhook's URL asks of Twilio.

Source: twilio.com/docs/usage/webhooks/webhooks-connection-overrides. `#rc=5&rp=5xx,ct` means five
retries, after a 5xx answer or a connection that failed. What is unknown or out of range is left at
its default.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Failure = Literal["ct", "rt"]
"""No answer: the connection was not made (`ct`), or nothing came over it in time (`rt`)."""

_POLICIES = frozenset({"4xx", "5xx", "ct", "rt", "all"})
_SUCCESS_BELOW = 400


@dataclass(frozen=True, slots=True)
class Overrides:
    """Time-outs in seconds, how many retries there are and what they are for."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    policies: frozenset[str] = frozenset({"ct"})

    def retries_after(self, *, status_code: int | None, failure: Failure | None) -> bool:
        """Tell whether an attempt that ended like this may be repeated."""
        if status_code is not None and status_code < _SUCCESS_BELOW:
            return False
        kind = failure or f"{(status_code or 0) // 100}xx"
        return kind in self.policies or "all" in self.policies


def overrides_of(url: str) -> Overrides:
    """Read the fragment of a webhook's URL."""
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}
    default = Overrides()
    policies = frozenset(asked.get("rp", "").lower().split(","))
    return Overrides(
        connect=_number(asked, "ct", 100, 10_000, default.connect * 1000) / 1000,
        read=_number(asked, "rt", 100, 15_000, default.read * 1000) / 1000,
        total=_number(asked, "tt", 100, 15_000, default.total * 1000) / 1000,
        retries=int(_number(asked, "rc", 0, 5, default.retries)),
        policies=policies if policies <= _POLICIES else default.policies,
    )


def _number(asked: dict[str, str], name: str, low: int, high: int, default: float) -> float:
    value = asked.get(name, "")
    if not (value.isascii() and value.isdecimal()):
        return default
    return int(value) if low <= int(value) <= high else default
