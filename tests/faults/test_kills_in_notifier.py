"""All of the product dies, once at each step of the notifier, and starts again."""

from tests.faults.fixed_set import (
    MARKS,
    NOTIFIER,
    accepted_each,
    broken,
    ended_runs,
    not_tried,
)
from tests.faults.plans import Plan
from tests.faults.steps import STEPS

pytestmark = MARKS

STEPS_HERE = [step for step in STEPS["sqlite"] if step.service == NOTIFIER]


def test_a_kill_at_a_step_of_the_notifier_loses_nothing_and_answers_nothing_twice() -> None:
    todo = [Plan(seed, step) for seed, step in enumerate(STEPS_HERE, start=700)]

    ended = ended_runs("sqlite", todo)

    assert broken(ended) == []
    assert not_tried(ended) == []
    assert accepted_each(ended) > 8
