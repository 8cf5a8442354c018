"""What is told of a dependency that is away, and how long it is waited for."""

import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from common.errors import DependencyDown
from common.jobs.outages import Outages
from common.jobs.policy import RetryPolicy

AWAY = DependencyDown("broker", "nobody answers")


def test_an_outage_that_nobody_saw_end_does_not_lengthen_a_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outages, now = Outages(RetryPolicy(attempts=8, first=1.0, longest=60.0)), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    with capture_logs() as logs:
        outages.failed(("publish", "one that another process does then"), AWAY)
        now[0] = 3600.0
        rest = outages.failed(("publish", "another"), AWAY)
        outages.worked(("publish", "another"))

    assert rest <= timedelta(seconds=1.0)
    assert [(line["event"], line.get("seconds")) for line in logs] == [
        ("dependency away", None),
        ("dependency away", None),
        ("dependency back", 0.0),
    ]
