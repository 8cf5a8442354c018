"""Identifiers: ULIDs, and ids derived from a natural key.

A ULID (github.com/ulid/spec) is 48 bits of milliseconds and 80 bits of randomness, written as 26
characters that sort by time. Databases keep the 128 bits (`Ulid.to_uuid`).
"""

import hashlib
import time
from collections.abc import Callable

from ulid import ULID as Ulid  # noqa: N811 - a class, and named like one here
from ulid import ULIDGenerator

__all__ = ["Ulid", "derived_id", "generator", "new_id", "parse_id"]


def _never_backwards() -> Callable[[], int]:
    latest = 0

    def clock() -> int:
        nonlocal latest
        latest = max(latest, time.time_ns() // 1_000_000)
        return latest

    return clock


def generator() -> ULIDGenerator:
    """Make a source of ids that only grow, also when the machine's clock steps back."""
    return ULIDGenerator(clock=_never_backwards())


_process_wide = generator()


def new_id() -> Ulid:
    """Return an id that is greater than every other one made by this process."""
    return _process_wide.generate()


def parse_id(text: str) -> Ulid:
    """Read the 26 characters of a ULID, in either case; anything else is a `ValueError`."""
    parsed = Ulid.from_str(text.upper())
    if str(parsed) != text.upper():  # characters that stand for others, or more than 128 bits
        message = f"not a ULID: {text!r}"
        raise ValueError(message)
    return parsed


def derived_id(*natural_key: str) -> Ulid:
    """Return the same id for the same natural key, whoever computes it and when.

    For events that may be made twice of one fact (a webhook that is delivered again). It looks like
    a ULID, but its time part means nothing.
    """
    joined = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in natural_key)
    return Ulid.from_bytes(hashlib.sha256(joined).digest()[:16])
