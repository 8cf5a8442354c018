"""All of the product dies at some moment, also while the provider loses calls and callbacks."""

from tests.faults.fixed_set import MARKS, accepted_each, broken, ended_runs, not_tried
from tests.faults.plans import Plan

pytestmark = MARKS


def test_a_kill_at_any_moment_loses_nothing_and_answers_nothing_twice() -> None:
    ended = ended_runs(
        "sqlite", [Plan(seed, None, rough=seed % 2 == 0) for seed in range(200, 204)]
    )

    assert broken(ended) == []
    assert not_tried(ended) == []
    assert accepted_each(ended) > 8
