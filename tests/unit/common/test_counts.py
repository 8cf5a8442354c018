"""A counter of plain numbers reads as any other."""

from prometheus_client import CollectorRegistry, Counter, generate_latest

from common.observability.counts import Counts

LABELS = ["topic", "outcome"]


def test_it_shows_what_prometheus_own_would_show() -> None:
    registry, theirs = CollectorRegistry(), CollectorRegistry()
    ours = Counts("records", "Records.", LABELS, registry=registry)
    counter = Counter("records", "Records.", LABELS, registry=theirs)

    for each in (ours, counter):
        each.labels("a", "handled").inc()
        each.labels("a", "handled").inc()
        each.labels("b", "failed").inc()

    assert shown(registry) == shown(theirs)


def test_what_was_not_counted_yet_is_shown_as_zero() -> None:
    registry = CollectorRegistry()
    ours = Counts("records", "Records.", LABELS, registry=registry)

    ours.labels("a", "handled")

    assert registry.get_sample_value("records_total", {"topic": "a", "outcome": "handled"}) == 0


def shown(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]
