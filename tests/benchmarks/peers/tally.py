"""What a consumer is told to do, and how it tells what that cost."""

import json
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Order:
    """Read `topic` from its beginning as `group`: `warm` records first, then the measured ones."""

    bootstrap: str
    topic: str
    group: str
    warm: int
    records: int
    wait_seconds: float = 0.0
    """What each handler waits for, as for a database; nothing by default."""
    spans: str = ""
    """Where spans are sent; "" leaves logs and spans off."""

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


def order() -> Order:
    return Order(**json.loads(sys.argv[1]))


class Tally:
    """Counts what was handled, and prints the process' CPU and clock where the measuring begins
    and ends: exact where /proc counts in hundredths.
    """

    def __init__(self, given: Order) -> None:
        self._warm = given.warm
        self._last = given.warm + given.records
        self._count = 0

    def one(self) -> bool:
        """Count a record; tell whether it was the last one to measure."""
        self._count += 1
        if self._count in (self._warm, self._last):
            print(json.dumps([time.process_time(), time.perf_counter()]), flush=True)
        return self._count == self._last
