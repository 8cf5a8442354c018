"""An event loop that stands still is noticed from outside of it."""

import time
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.typing import EventDict

from common.observability.metrics import Metrics
from common.runtime import Health
from common.runtime.loop_watch import watched_loop
from common.testing import eventually


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def hold_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_who_holds_the_loop_is_named_in_the_log_once_and_while_it_does(
    metrics: Metrics, logs: list[EventDict]
) -> None:
    async with watched_loop(Health(metrics.registry), metrics, seconds=0.1):
        hold_the_loop(0.5)
        told_meanwhile = list(logs)

    (told,) = told_meanwhile
    assert told["event"] == "event loop stands still"
    assert "in hold_the_loop" in told["stack"]


async def test_a_loop_that_stood_still_is_not_alive_until_it_turned_again(
    metrics: Metrics,
) -> None:
    health = Health(metrics.registry)

    async with watched_loop(health, metrics, seconds=0.2):
        before = await health.stuck()
        hold_the_loop(0.5)
        at_once = await health.stuck()
        await eventually(lambda: lag(metrics) > 0.2)
        after = await health.stuck()

    assert before == after == {}
    assert at_once.keys() == {"event loop"}


def lag(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("recado_event_loop_lag_seconds") or 0.0
