"""What the product needs is away for some seconds."""

import pytest

from tests.faults.fixed_set import MARKS, SERVERS, accepted_each, broken, ended_runs, not_tried
from tests.faults.outages import OUTAGES, Outage
from tests.faults.plans import Plan

pytestmark = MARKS

OF_SERVERS = (Outage.BROKER_KILLED, Outage.DATABASE_READ_ONLY)


@pytest.mark.parametrize(
    ("transport", "outages"),
    [("sqlite", OUTAGES["sqlite"]), pytest.param("kafka", OF_SERVERS, marks=SERVERS)],
)
def test_an_outage_loses_nothing_and_answers_nothing_twice(
    transport: str, outages: tuple[Outage, ...]
) -> None:
    todo = [Plan(seed, outage) for seed, outage in enumerate(outages, start=300)]

    ended = ended_runs(transport, todo)

    assert broken(ended) == []
    assert not_tried(ended) == []
    assert accepted_each(ended) > 8
