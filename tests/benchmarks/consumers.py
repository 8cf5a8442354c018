"""A consumer that is run again and again, and what a record costs it."""

import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.benchmarks.peers.tally import Order

CORE = 0
LONGEST_SECONDS = 120
_groups = itertools.count()


@dataclass
class Consumer:
    """A module of `peers`, run by `python`; the figures of its rounds."""

    name: str
    module: str
    order: Order
    python: str = sys.executable
    options: Sequence[str] = ()
    rounds: list[float] = field(default_factory=list[float])
    """CPU microseconds a record."""
    rates: list[float] = field(default_factory=list[float])
    """Records a second."""

    def measure(self, log: Path) -> None:
        """Consume from the beginning, as a group of its own, in a process on one core."""
        order = replace(self.order, group=f"group-{next(_groups)}")
        module = f"tests.benchmarks.peers.{self.module}"
        command = ["taskset", "-c", str(CORE), self.python, "-m", module, order.as_argument()]
        with log.open("wb") as lines:
            done = subprocess.run(
                [*command, *self.options],
                stdout=subprocess.PIPE,
                stderr=lines,
                timeout=LONGEST_SECONDS,
                check=True,
            )
        (cpu_before, before), (cpu_after, after) = map(json.loads, done.stdout.splitlines())
        self.rounds.append((cpu_after - cpu_before) / order.records * 1e6)
        self.rates.append(order.records / (after - before))

    @property
    def microseconds(self) -> float:
        return statistics.median(self.rounds)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def in_turns(consumers: Sequence[Consumer], *, rounds: int, log: Path) -> None:
    """Measure each once a round, so that whatever else the machine does meets all of them."""
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for consumer in consumers:
            consumer.measure(log)
