"""One run: contacts write, the plug is pulled, the product starts again, all becomes quiet."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from recado.development import SENDERS
from tests.faults.judge import Verdict, judge, read_rows
from tests.faults.steps import STEPS, Step
from tests.faults.work import read_work
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
REACHED_SECONDS = 10
QUIET_SECONDS = 90
STAYS_QUIET_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in one run, all of it from its seed."""

    seed: int
    step: Step | None
    """Where the product dies; None: at a random moment."""
    occasion: int = 1
    """The how manieth time that it comes to the step."""
    rough: bool = False
    """Whether calls and callbacks are lost too: then a part may end with a person."""

    def __str__(self) -> str:
        where = f"{self.step.name} #{self.occasion}" if self.step else "at random"
        return f"seed={self.seed} kill={where}{' rough' if self.rough else ''}"


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended, and whether it tried what it was to try."""

    plan: Plan
    verdict: Verdict
    reached: bool
    """Whether it was the planned kill that ended the product, and not its own doing or ours."""
    quiet: bool
    """Whether the product lived on, and came to where nothing is left to happen."""
    given_up: tuple[str, ...] = ()
    """Failed jobs and dead letters: a kill is a reason for neither."""
    last_words: str = ""
    """The end of the product's log, where the run is broken."""

    @property
    def broken(self) -> bool:
        """Nothing accepted is nothing tested."""
        clean = self.verdict.accepted > 0 and self.quiet and not self.given_up
        unexplained = self.verdict.uncertain > 0 and not self.plan.rough
        return self.verdict.broken or unexplained or not clean

    def __str__(self) -> str:
        reached, quiet = ("yes" if true else "no" for true in (self.reached, self.quiet))
        ended = f"reached={reached} quiet={quiet} given_up={len(self.given_up)}"
        return f"{self.plan}: {self.verdict} {ended}"


def plans(runs: int, seed: int) -> list[Plan]:
    """Two listed steps, then a random moment with a rough provider; the seed orders the steps."""
    chance = random.Random(seed)
    steps = cycle(chance.sample(STEPS, k=len(STEPS)))
    return [
        Plan(seed * 1000 + number, None, rough=True)
        if number % 3 == 2
        else Plan(seed * 1000 + number, next(steps), chance.randint(1, 3))
        for number in range(runs)
    ]


def run_all(todo: Sequence[Plan]) -> Iterator[Run]:
    """Run each, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as two_cores:
        yield from two_cores.map(run_once, todo)


def run_once(plan: Plan) -> Run:
    """Run it in a world of its own, which is gone afterwards."""
    with TemporaryDirectory(prefix="recado-faults-") as name:
        folder = Path(name)
        with world(folder) as opened:
            ended = _run(plan, opened)
        if not ended.broken:
            return ended
        words = (folder / "product.log").read_text()[-2000:]
        return replace(ended, last_words="\n".join([*ended.given_up, words]))


def not_reached(ended: Iterable[Run]) -> list[str]:
    """The listed steps at which no run's product died."""
    reached = {run.plan.step for run in ended if run.reached}
    return [step.name for step in STEPS if step not in reached]


def _run(plan: Plan, at: World) -> Run:
    chance = random.Random(plan.seed)
    at.order_faults(fault_plan(chance, rough=plan.rough))
    at.start_product(plan.step, plan.occasion)
    reached = _traffic(at, chance, messages=8, kill=plan.step is None)
    if plan.step is not None:
        at.wait_until(at.product_is_dead, seconds=REACHED_SECONDS)
        reached = at.product_was_killed()
        at.kill_product()
        at.start_product()
    _traffic(at, chance, messages=4, kill=False)
    quiet = _becomes_quiet(at)
    verdict = judge(at.ledger(), read_rows(at.database))
    return Run(plan, verdict, reached, quiet, given_up=read_work(at.folder).given_up)


def _traffic(at: World, chance: random.Random, *, messages: int, kill: bool) -> bool:
    """Write, and with `kill` pull the plug once; tell whether a running product was killed."""
    deadly = chance.randrange(messages) if kill else None
    killed = False
    for number in range(messages):
        at.say(chance.choice(CONTACTS), SENDERS[0], chance.choice(QUESTIONS))
        time.sleep(chance.uniform(0, 0.4))
        if number == deadly:
            killed = not at.product_is_dead()
            at.kill_product()
            at.start_product()
    return killed


def _becomes_quiet(at: World) -> bool:
    """Wait until nothing is left to happen for a while; tell whether that came, with it alive."""
    since: float | None = None

    def has_stayed_quiet() -> bool:
        nonlocal since
        now = time.monotonic()
        since = (since or now) if _is_quiet(at) else None
        return since is not None and now - since >= STAYS_QUIET_SECONDS

    came = at.wait_until(lambda: at.product_is_dead() or has_stayed_quiet(), seconds=QUIET_SECONDS)
    return came and not at.product_is_dead()


def _is_quiet(at: World) -> bool:
    """Tell whether nothing is left: no webhook, no work, no undecided message, no open part."""
    ledger = at.ledger()
    if ledger["pending"] or read_work(at.folder).open:
        return False
    rows = read_rows(at.database)
    verdict = judge(ledger, rows)
    return not (verdict.lost or verdict.silent or rows.open_parts)
