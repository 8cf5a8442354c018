"""`kill -9` at every listed step of a message's way, and at random moments, with fixed seeds."""

import pytest

from tests.faults.run import Plan, not_reached, run_all
from tests.faults.steps import STEPS

AT_EVERY_STEP = [Plan(seed, step) for seed, step in enumerate(STEPS, start=100)]
AT_RANDOM = [Plan(seed, None, rough=seed % 2 == 0) for seed in range(200, 204)]


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_kill_at_any_moment_loses_nothing_and_answers_nothing_twice() -> None:
    ended = list(run_all(AT_EVERY_STEP + AT_RANDOM))

    assert [f"{run}\n{run.last_words}" for run in ended if run.broken] == []
    assert not_reached(ended) == []
    assert [str(run) for run in ended if not run.reached] == []
    assert sum(run.verdict.accepted for run in ended) > 200
