"""`kill -9` at every listed step of a message's way, and at random moments, with fixed seeds."""

import pytest

from tests.faults.run import Plan, run_all
from tests.faults.steps import STEPS

AT_EVERY_STEP = [Plan(seed, step) for seed, step in enumerate(STEPS, start=100)]
AT_RANDOM = [Plan(seed, None) for seed in range(200, 204)]


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_kill_at_any_moment_loses_nothing_and_answers_nothing_twice() -> None:
    ended = list(run_all(AT_EVERY_STEP + AT_RANDOM))

    assert sum(verdict.accepted for _, verdict, _ in ended) > 200
    assert [f"{plan}: {verdict}\n{log}" for plan, verdict, log in ended if verdict.broken] == []
