"""Identifiers: ULIDs, and ids derived from a natural key.

A ULID (github.com/ulid/spec) is 48 bits of milliseconds and 80 bits of randomness, written as 26
characters that sort by time. Databases keep the 128 bits (`Ulid.to_uuid`).
"""

import hashlib
import os
import re
import time
from threading import Lock

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WRITTEN = re.compile(f"[0-7][{_ALPHABET}]{{25}}")  # 130 bits, of which the first two are none
_AS_INT_READS_THEM = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -10, -10)  # ten bits for each pair of characters


class Ulid(ULID):
    """An id. Its text is made once: one id is written into many lines, headers and columns."""

    _text: str | None = None

    def __str__(self) -> str:
        """Return the 26 characters."""
        if self._text is None:
            number = int.from_bytes(self.bytes)
            self._text = "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
        return self._text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take a `Ulid` as it is and a text by `parse_id`; write the text."""
        del source, handler
        written = core_schema.no_info_after_validator_function(parse_id, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=written,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), written]),
            serialization=core_schema.to_string_ser_schema(when_used="json-unless-none"),
        )


class Generator:
    """A source of ids that only grow, also when the machine's clock steps back."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._latest = 0
        self._lock = Lock()

    def generate(self) -> Ulid:
        """Return an id that is greater than every earlier one; from any thread."""
        fresh = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
        with self._lock:
            self._latest = max(fresh, self._latest + 1)
            return Ulid(self._latest.to_bytes(16))


_process_wide = Generator()


def new_id() -> Ulid:
    """Return an id that is greater than every other one made by this process."""
    return _process_wide.generate()


def parse_id(text: str) -> Ulid:
    """Read the 26 characters of a ULID, in either case; anything else is a `ValueError`."""
    upper = text.upper()
    if _WRITTEN.fullmatch(upper) is None:
        message = f"not a ULID: {text!r}"
        raise ValueError(message)
    return Ulid(int(upper.translate(_AS_INT_READS_THEM), 32).to_bytes(16))


def derived_id(*natural_key: str) -> Ulid:
    """Return the same id for the same natural key, whoever computes it and when.

    For events that may be made twice of one fact (a webhook that is delivered again). It looks like
    a ULID, but its time part means nothing.
    """
    joined = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in natural_key)
    return Ulid.from_bytes(hashlib.sha256(joined).digest()[:16])
