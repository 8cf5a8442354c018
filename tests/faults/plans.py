"""What happens in each run, all of it from its seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

from tests.faults.outages import OUTAGES, Outage
from tests.faults.steps import STEPS, Step

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """One run's fault, and how the provider behaves beside it."""

    seed: int
    fault: Step | Outage | None
    """Where a process dies, or what is away for a while; None: one dies at a random moment."""
    occasion: int = 1
    """The how manieth time that it comes to the step."""
    rough: bool = False
    """Whether calls and callbacks are lost too: then a part may end with a person."""

    def __str__(self) -> str:
        match self.fault:
            case Step() as step:
                what = f"kill={step.name} #{self.occasion}"
            case Outage() as outage:
                what = f"away={outage.value}"
            case None:
                what = "kill=at random"
        return f"seed={self.seed} {what}{' rough' if self.rough else ''}"


def plans(transport: str, runs: int, seed: int) -> list[Plan]:
    """A listed step, an outage, a random moment with a rough provider; the seed orders them."""
    chance = random.Random(seed)
    steps = _in_turn(STEPS[transport], chance)
    outages = _in_turn(OUTAGES[transport], chance)
    made: list[Plan] = []
    for number in range(seed * 1000, seed * 1000 + runs):
        match number % 3:
            case 0:
                made.append(Plan(number, next(steps), chance.randint(1, 3)))
            case 1:
                made.append(Plan(number, next(outages)))
            case _:
                made.append(Plan(number, None, rough=True))
    return made


def _in_turn(these: Sequence[T], chance: random.Random) -> Iterator[T]:
    return cycle(chance.sample(these, k=len(these)))
