"""One run: contacts write, the plug is pulled, the product starts again, all becomes quiet."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from recado.development import SENDERS
from tests.faults.judge import Verdict, judge, read_rows
from tests.faults.steps import Step
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
    at.start_product()  # the first start migrates and seeds: killed or not, it is done once
    at.kill_product()
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
