"""When a run counts as broken, and which steps the runs left out."""

from dataclasses import replace

from tests.faults.judge import Verdict
from tests.faults.plans import Plan
from tests.faults.run import Run, not_reached
from tests.faults.steps import STEPS

FIRST, SECOND, *_ = STEPS["sqlite"]

CLEAN = Run(Plan(1, FIRST), Verdict(accepted=12), reached=True, quiet=True)


def test_a_clean_run_is_whole() -> None:
    assert not CLEAN.broken


def test_a_run_that_accepted_nothing_tested_nothing() -> None:
    assert replace(CLEAN, verdict=Verdict()).broken


def test_a_run_that_lost_a_message_is_broken() -> None:
    assert replace(CLEAN, verdict=Verdict(accepted=12, lost=1)).broken


def test_a_part_of_unknown_outcome_is_allowed_only_where_calls_and_callbacks_are_lost() -> None:
    unknown = Verdict(accepted=12, uncertain=1)

    assert replace(CLEAN, verdict=unknown).broken
    assert not replace(CLEAN, verdict=unknown, plan=Plan(1, None, rough=True)).broken


def test_a_run_that_never_became_quiet_is_broken() -> None:
    assert replace(CLEAN, quiet=False).broken


def test_a_run_that_gave_something_up_is_broken() -> None:
    assert replace(CLEAN, given_up=("messages.send: undecodable",)).broken


def test_a_step_is_reached_only_where_the_product_died_there() -> None:
    missed = Run(Plan(2, SECOND), Verdict(accepted=12), reached=False, quiet=True)

    assert not_reached([CLEAN, missed], "sqlite") == [step.name for step in STEPS["sqlite"][1:]]
