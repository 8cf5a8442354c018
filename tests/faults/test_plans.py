"""What a seed makes of a run."""

import pytest

from tests.faults.outages import OUTAGES, Outage
from tests.faults.plans import Plan, plans
from tests.faults.steps import STEPS, Step

TRANSPORTS = sorted(STEPS)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_same_seed_makes_the_same_plans(transport: str) -> None:
    assert plans(transport, 30, seed=7) == plans(transport, 30, seed=7)
    assert plans(transport, 30, seed=7) != plans(transport, 30, seed=8)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hundred_runs_come_to_every_step_and_every_outage(transport: str) -> None:
    faults = {plan.fault for plan in plans(transport, 100, seed=1)}

    assert faults == {*STEPS[transport], *OUTAGES[transport], None}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (STEPS["kafka"][0], "kill=before KafkaTransport.publish messages.received #2"),
        (Outage.BROKER_HUNG, "away=broker hung"),
        (None, "kill=at random"),
    ],
)
def test_a_plan_says_what_it_does(fault: Step | Outage | None, words: str) -> None:
    assert str(Plan(1001, fault, occasion=2)) == f"seed=1001 {words}"
