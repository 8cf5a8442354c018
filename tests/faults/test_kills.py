"""A fixed short set of `make faults`: kills at listed steps and at random, and each outage."""

import pytest

from tests.faults.outages import OUTAGES, Outage
from tests.faults.plans import Plan
from tests.faults.run import Run, not_reached, run_all
from tests.faults.sites import site
from tests.faults.steps import STEPS
from tests.servers.processes import ending_on_sigterm

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

ON_SQLITE = [
    *(Plan(seed, step) for seed, step in enumerate(STEPS["sqlite"], start=100)),
    *(Plan(seed, None, rough=seed % 2 == 0) for seed in range(200, 204)),
    *(Plan(seed, outage) for seed, outage in enumerate(OUTAGES["sqlite"], start=300)),
]
ON_KAFKA = [
    *(Plan(seed, STEPS["kafka"][place]) for seed, place in enumerate((1, 9, 15), start=400)),
    Plan(500, None),
    *(Plan(600, outage) for outage in (Outage.BROKER_KILLED, Outage.DATABASE_READ_ONLY)),
]


def test_a_kill_or_an_outage_on_sqlite_loses_nothing_and_answers_nothing_twice() -> None:
    ended = ended_runs("sqlite", ON_SQLITE)

    assert broken(ended) == []
    assert not_reached(ended, "sqlite") == []
    assert [str(run) for run in ended if not run.reached] == []
    assert sum(run.verdict.accepted for run in ended) > 200


@pytest.mark.kafka
@pytest.mark.postgres
def test_a_kill_or_an_outage_on_kafka_and_postgres_loses_nothing_and_answers_nothing_twice() -> (
    None
):
    ended = ended_runs("kafka", ON_KAFKA)

    assert broken(ended) == []
    assert [str(run) for run in ended if not run.reached] == []
    assert sum(run.verdict.accepted for run in ended) > 50


def ended_runs(transport: str, todo: list[Plan]) -> list[Run]:
    with ending_on_sigterm(), site(transport) as place:
        return list(run_all(todo, place))


def broken(ended: list[Run]) -> list[str]:
    return [f"{run}\n{run.last_words}" for run in ended if run.broken]
