"""One of several processes on Kafka and Postgres dies, at a step or at some moment."""

from tests.faults.fixed_set import MARKS, SERVERS, accepted_each, broken, ended_runs, not_tried
from tests.faults.plans import Plan
from tests.faults.steps import STEPS

pytestmark = [*MARKS, *SERVERS]

PLACES = (1, 9, 15)
"""Of the steps: one of each service."""


def test_a_kill_of_one_process_loses_nothing_and_answers_nothing_twice() -> None:
    at_steps = [Plan(seed, STEPS["kafka"][place]) for seed, place in enumerate(PLACES, start=400)]

    ended = ended_runs("kafka", [*at_steps, Plan(500, None)])

    assert broken(ended) == []
    assert not_tried(ended) == []
    assert accepted_each(ended) > 8
