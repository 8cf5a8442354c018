"""One run: contacts write, the plug is pulled, the product starts again, all becomes quiet."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from recado.development import SENDERS
from tests.faults.judge import Verdict, judge, read_rows
from tests.faults.steps import STEPS, Step
from tests.faults.world import World, fault_plan, world

CONTACTS = tuple(f"whatsapp:+55119999900{number:02d}" for number in range(1, 6))
QUESTIONS = (
    "Vocês abrem domingo?",
    "Do you deliver?",
    "Tem pão sem glúten?",
    "Aceitam Pix?",
    "Where can I park?",
    "qual a capital da Mongólia?",
)
QUIET_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in one run, all of it from its seed."""

    seed: int
    step: Step | None
    """Where the product dies; None: at a random moment."""

    def __str__(self) -> str:
        return f"seed={self.seed} kill={self.step.name if self.step else 'at random'}"


def plans(runs: int, seed: int) -> list[Plan]:
    """Two listed steps, then a random moment, and so on; the order of the steps is the seed's."""
    steps = random.Random(seed).sample(STEPS, k=len(STEPS))
    listed = cycle(steps)
    return [
        Plan(seed * 1000 + number, None if number % 3 == 2 else next(listed))
        for number in range(runs)
    ]


def run_all(todo: Sequence[Plan]) -> Iterator[tuple[Plan, Verdict, str]]:
    """Run each, two at a time; give its verdict, and for a bad one the product's last words."""
    with ThreadPoolExecutor(max_workers=2) as two_cores:
        for plan, (verdict, last_words) in zip(todo, two_cores.map(run_once, todo), strict=True):
            yield plan, verdict, last_words


def run_once(plan: Plan) -> tuple[Verdict, str]:
    """Return the verdict, and where it is not clean the end of the product's log."""
    with TemporaryDirectory(prefix="recado-faults-") as name:
        folder = Path(name)
        with world(folder) as opened:
            verdict = _run(plan, opened)
        last_words = (folder / "product.log").read_text()[-2000:] if verdict.broken else ""
        return verdict, last_words


def _run(plan: Plan, at: World) -> Verdict:
    chance = random.Random(plan.seed)
    at.order_faults(fault_plan(chance))
    at.start_product(plan.step, occasion=chance.randint(1, 3))
    _traffic(at, chance, messages=8, kill=plan.step is None)
    at.wait_until(at.product_is_dead, seconds=2 if plan.step else 0)
    at.kill_product()
    at.start_product()
    _traffic(at, chance, messages=4, kill=False)
    at.wait_until(lambda: _is_quiet(at), seconds=QUIET_SECONDS)
    return judge(at.ledger(), read_rows(at.database))


def _traffic(at: World, chance: random.Random, *, messages: int, kill: bool) -> None:
    deadly = chance.randrange(messages) if kill else None
    for number in range(messages):
        at.say(chance.choice(CONTACTS), SENDERS[0], chance.choice(QUESTIONS))
        time.sleep(chance.uniform(0, 0.4))
        if number == deadly:
            at.kill_product()
            at.start_product()


def _is_quiet(at: World) -> bool:
    """Tell whether nothing is left to happen: no webhook, no undecided message, no open part."""
    ledger = at.ledger()
    if ledger["pending"]:
        return False
    rows = read_rows(at.database)
    verdict = judge(ledger, rows)
    return not (verdict.lost or verdict.silent or rows.open_parts)
