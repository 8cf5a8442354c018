"""Which kinds a process runs, and what it does differently for one of them."""

import pytest

from common.errors import StartError
from common.jobs import Job, Outcome
from common.jobs.policy import RetryPolicy
from common.settings import Settings, load
from common.testing import eventually
from tests.contract.jobs.table import JobsTable, Process
from tests.unit.common.jobs.shop import Shop

TWO_TURNS = '{"turn": {"attempts": 2}}'


class ShopSettings(Settings):
    """What a process reads that can run two kinds."""

    job_kinds = frozenset({"turn", "timer"})


def test_a_process_is_told_which_kinds_it_runs() -> None:
    settings = load(ShopSettings, {"RECADO_JOBS_KINDS": "turn, timer"})

    assert settings.jobs.kinds == {"turn", "timer"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [("KINDS", "turn,dance"), ("RETRY_KINDS", '{"dance": {"attempts": 2}}')],
)
def test_a_kind_that_the_process_does_not_have_is_refused_at_start(
    variable: str, value: str
) -> None:
    with pytest.raises(StartError, match=f"Mend RECADO_JOBS_{variable}.*dance.*timer, turn"):
        load(ShopSettings, {f"RECADO_JOBS_{variable}": value})


def test_a_process_without_jobs_does_not_judge_the_kinds_of_others() -> None:
    assert load(Settings, {"RECADO_JOBS_KINDS": "turn"}).jobs.kinds == {"turn"}


def test_a_kind_has_the_policy_that_was_set_for_it_and_the_others_the_one_for_all() -> None:
    settings = load(
        ShopSettings,
        {"RECADO_JOBS_RETRY_KINDS": '{"turn": {"attempts": 2, "longest_seconds": 9}}'},
    ).jobs

    assert RetryPolicy.of(settings, "turn") == RetryPolicy(2, 1.0, 9.0)
    assert RetryPolicy.of(settings, "timer") == RetryPolicy(8, 1.0, 300.0)


async def test_a_job_fails_after_the_attempts_of_its_kind(shop: Shop) -> None:
    async def turn(job: Job) -> None:
        raise KeyError(job.key)

    async with shop.running(turn, retry_kinds=TWO_TURNS):
        await shop.process.schedule()
        await eventually(shop.failure)

    assert (shop.counted(Outcome.RETRIED), shop.counted(Outcome.FAILED)) == (1, 1)


def test_a_kind_that_never_gives_up_takes_no_attempts(shop: Shop) -> None:
    shop.endless = ("turn",)

    with pytest.raises(StartError, match="jobs of kind turn are tried until they succeed"):
        shop.runner({"turn": shop.done}, retry_kinds=TWO_TURNS)


async def test_a_kind_that_was_not_chosen_is_left_to_others(shop: Shop, other: Process) -> None:
    runner = {"turn": shop.done, "timer": shop.done}

    async with shop.running_all(runner, kinds=frozenset({"turn"}), poll_seconds=0.02):
        await other.schedule(kind="timer")
        await other.schedule()
        await eventually(lambda: shop.seen)

    assert (await shop.table.row())["kind"] == "timer"


def test_a_kind_without_a_handler_is_refused_at_start(shop: Shop) -> None:
    with pytest.raises(ValueError, match=r"no handlers of \['publish', 'timer'\]"):
        shop.runner({"turn": shop.done}, kinds=None)


# What waits


async def test_what_waits_is_told_by_kind_whoever_runs_it(shop: Shop, table: JobsTable) -> None:
    for key in ("c1", "c2"):
        await shop.process.schedule(key, kind="timer")
    await shop.process.schedule("later", kind="timer", due_in=3600)
    await shop.process.schedule("c3", kind="publish")
    await shop.process.jobs.fail((await shop.process.claim(kind="publish"))[0], "a fault")
    await table.execute("update shop_jobs set due_at = 0 where key = 'c1'")

    async with shop.running(shop.done):
        await eventually(lambda: shop.gauge("recado_jobs_due", "timer"))

    assert shop.gauge("recado_jobs_due", "timer") == 2
    assert (shop.gauge("recado_jobs_overdue_seconds", "timer") or 0) > 3600
    assert shop.gauge("recado_jobs_failed", "publish") == 1
    assert shop.gauge("recado_jobs_due", "turn") == 0


async def test_what_runs_is_told_while_it_runs(shop: Shop) -> None:
    during: list[float | None] = []

    async def turn(job: Job) -> None:
        during.append(shop.gauge("recado_jobs_running", "turn"))
        await shop.done(job)

    async with shop.running(turn):
        await shop.process.schedule()
        await eventually(shop.is_empty)

    assert during == [1]
    assert shop.gauge("recado_jobs_running", "turn") == 0
