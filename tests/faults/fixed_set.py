"""What the tests of the fixed short set share: how runs are made, and what must hold of them."""

from collections.abc import Sequence

import pytest

from tests.faults.plans import Plan
from tests.faults.run import Run, run_all
from tests.faults.sites import site
from tests.servers.processes import ending_on_sigterm

MARKS = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]
SERVERS = [pytest.mark.kafka, pytest.mark.postgres]
NOTIFIER = "notifier"


def ended_runs(transport: str, todo: Sequence[Plan]) -> list[Run]:
    with ending_on_sigterm(), site(transport) as place:
        return list(run_all(todo, place))


def broken(ended: Sequence[Run]) -> list[str]:
    return [f"{run}\n{run.last_words}" for run in ended if run.broken]


def not_tried(ended: Sequence[Run]) -> list[str]:
    """Name the runs whose product did not die where it should, or noticed no outage."""
    return [str(run) for run in ended if not run.reached]


def accepted_each(ended: Sequence[Run]) -> float:
    """Count the messages of a run on the average: with few of them little was tested."""
    return sum(run.verdict.accepted for run in ended) / len(ended)
