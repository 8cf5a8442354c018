"""One run: contacts write, the plug is pulled, the product starts again, all becomes quiet."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory

from recado.development import SENDERS
from tests.faults.judge import Verdict, judge
from tests.faults.outages import Outage
from tests.faults.plans import Plan
from tests.faults.steps import STEPS, Step
from tests.faults.world import World, fault_plan, wait_until

CONTACTS = tuple(f"whatsapp:+55119999900{number:02d}" for number in range(1, 6))
QUESTIONS = (
    "Vocês abrem domingo?",
    "Do you deliver?",
    "Tem pão sem glúten?",
    "Aceitam Pix?",
    "Where can I park?",
    "qual a capital da Mongólia?",
)
REACHED_SECONDS = 30
QUIET_SECONDS = 90
STAYS_QUIET_SECONDS = 1
TELLS_OF_AN_OUTAGE = ('"dependency":', " is away")


@dataclass(frozen=True)
class Site:
    """Where runs take place."""

    open_world: Callable[[Path, Plan], AbstractContextManager[World]]
    at_once: int
    """How many worlds may be open at the same time."""
    shared: bool
    """Whether they share their servers, so that an outage is everybody's."""

    def is_alone(self, plan: Plan) -> bool:
        return self.shared and isinstance(plan.fault, Outage)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended, and whether it tried what it was to try."""

    plan: Plan
    verdict: Verdict
    reached: bool
    """Whether the planned kill ended a process, and not its own doing or ours; whether the product
    noticed that something was away."""
    quiet: bool
    """Whether the product lived on, and came to where nothing is left to happen."""
    given_up: tuple[str, ...] = ()
    """Failed jobs and dead letters: a kill is a reason for neither."""
    last_words: str = ""
    """The ends of the product's logs, where the run is broken."""

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


def run_all(todo: Sequence[Plan], site: Site) -> Iterator[Run]:
    """Run what may share its time with others, some at once; then what must be alone."""
    for alone, some in groupby(sorted(todo, key=site.is_alone), site.is_alone):
        with ThreadPoolExecutor(max_workers=1 if alone else site.at_once) as workers:
            yield from workers.map(partial(run_once, site), some)


def run_once(site: Site, plan: Plan) -> Run:
    """Run it in a world of its own, which is gone afterwards."""
    with (
        TemporaryDirectory(prefix="recado-faults-") as name,
        site.open_world(Path(name), plan) as at,
    ):
        ended = _run(plan, at)
        if not ended.broken:
            return ended
        words = [f"{process}:\n{log[-2000:]}" for process, log in at.logs().items()]
        return replace(ended, last_words="\n".join([*ended.given_up, *words]))


def not_reached(ended: Iterable[Run], transport: str) -> list[str]:
    """The listed steps at which no run's product died."""
    reached = {run.plan.fault for run in ended if run.reached}
    return [step.name for step in STEPS[transport] if step not in reached]


def _run(plan: Plan, at: World) -> Run:
    chance = random.Random(plan.seed)
    armed = plan.fault if isinstance(plan.fault, Step) else None
    at.start(armed, plan.occasion)
    at.order_faults(fault_plan(chance, rough=plan.rough))
    match plan.fault:
        case Step() as step:
            reached = _die_at(step, at, chance)
        case Outage() as outage:
            reached = _go_without(outage, at, chance)
        case None:
            reached = _die_at_random(at, chance)
    _write(at, chance, messages=4)
    quiet = _becomes_quiet(at)
    verdict = judge(at.ledger(), at.rows())
    return Run(plan, verdict, reached, quiet, given_up=at.work().given_up)


def _die_at(step: Step, at: World, chance: random.Random) -> bool:
    process = at.process_of(step)
    _write(at, chance, messages=8)
    wait_until(lambda: at.exit_code(process) is not None, seconds=REACHED_SECONDS)
    reached = at.exit_code(process) == -SIGKILL  # it ends itself by nothing that nobody can catch
    at.restart(process)
    return reached


def _die_at_random(at: World, chance: random.Random) -> bool:
    process = chance.choice(at.processes)
    before = chance.randrange(8)
    _write(at, chance, messages=before)
    time.sleep(chance.uniform(0, 0.4))
    lived = at.exit_code(process) is None
    at.restart(process)
    _write(at, chance, messages=8 - before)
    return lived


def _go_without(outage: Outage, at: World, chance: random.Random) -> bool:
    _write(at, chance, messages=3)
    told = _told_of_outages(at)
    with at.outages[outage]():
        _write(at, chance, messages=5)
        time.sleep(chance.uniform(1, 6))
    return wait_until(lambda: _told_of_outages(at) > told, seconds=REACHED_SECONDS)


def _told_of_outages(at: World) -> int:
    logs = at.logs().values()
    return sum(log.count(words) for log in logs for words in TELLS_OF_AN_OUTAGE)


def _write(at: World, chance: random.Random, *, messages: int) -> None:
    for _ in range(messages):
        at.say(chance.choice(CONTACTS), SENDERS[0], chance.choice(QUESTIONS))
        time.sleep(chance.uniform(0, 0.4))


def _lives(at: World) -> bool:
    return all(at.exit_code(process) is None for process in at.processes)


def _becomes_quiet(at: World) -> bool:
    """Wait until nothing is left to happen for a while; tell whether that came, with all alive."""
    since: float | None = None

    def has_stayed_quiet() -> bool:
        nonlocal since
        now = time.monotonic()
        since = (since or now) if _is_quiet(at) else None
        return since is not None and now - since >= STAYS_QUIET_SECONDS

    came = wait_until(lambda: not _lives(at) or has_stayed_quiet(), seconds=QUIET_SECONDS)
    return came and _lives(at)


def _is_quiet(at: World) -> bool:
    """Tell whether nothing is left: no webhook, no work, no undecided message, no open part."""
    ledger = at.ledger()
    if ledger["pending"] or at.work().open:
        return False
    rows = at.rows()
    verdict = judge(ledger, rows)
    return not (verdict.lost or verdict.silent or rows.open_parts)
