"""The pause: said once, ended when every source is well."""

from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.typing import EventDict

from common.broker.outage import Outage
from common.errors import DependencyDown
from common.observability.metrics import Metrics

AWAY = DependencyDown("postgres", "connection refused")


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def outage() -> Outage:
    return Outage("processor", Metrics(CollectorRegistry()), first=1.0, longest=4.0)


def test_an_outage_is_said_once_however_often_it_is_met(
    outage: Outage, logs: list[EventDict]
) -> None:
    for source in ("handling", "handling", "reading"):
        outage.begins(source, AWAY)

    assert [entry["event"] for entry in logs] == ["consumer paused"]
    assert outage.reason == "postgres is away: connection refused"


def test_the_consumer_goes_on_when_the_last_source_is_well(
    outage: Outage, logs: list[EventDict]
) -> None:
    outage.begins("handling", AWAY)
    outage.begins("reading", AWAY)

    still = outage.ends("handling")
    over = outage.ends("reading")

    assert (still, over) == (False, True)
    assert outage.reason is None
    assert logs[-1]["event"] == "consumer goes on"


def test_a_source_that_met_nothing_ends_nothing(outage: Outage) -> None:
    assert outage.ends("handling") is False


def test_probes_come_at_growing_distances_up_to_the_longest(outage: Outage) -> None:
    delays = [outage.begins("handling", AWAY) for _ in range(5)]

    for delay, upper_end in zip(delays, (1.0, 2.0, 4.0, 4.0, 4.0), strict=True):
        assert upper_end / 2 <= delay <= upper_end


def test_an_outage_of_days_is_probed_to_its_end(outage: Outage) -> None:
    delays = [outage.begins("handling", AWAY) for _ in range(10_000)]

    assert all(2.0 <= delay <= 4.0 for delay in delays[2:])


def test_a_new_outage_is_probed_soon_again(outage: Outage) -> None:
    for _ in range(4):
        outage.begins("handling", AWAY)
    outage.ends("handling")

    assert outage.begins("handling", AWAY) <= 1.0
