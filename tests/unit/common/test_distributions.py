"""A histogram of plain numbers reads as any other."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from common.observability.distributions import Distributions

BOUNDS = (0.1, 1.0, 2.5)
VALUES = (0.0, 0.1, 0.5, 1.0, 7.0)


def test_it_shows_what_prometheus_own_would_show() -> None:
    registry, theirs = CollectorRegistry(), CollectorRegistry()
    ours = Distributions("age_seconds", "Age.", "topic", registry=registry, buckets=BOUNDS)
    histogram = Histogram("age_seconds", "Age.", ["topic"], registry=theirs, buckets=BOUNDS)

    for value in VALUES:
        ours.of("a").observe(value)
        histogram.labels("a").observe(value)

    assert shown(registry) == shown(theirs)


def test_a_topic_of_which_nothing_was_seen_is_shown_with_zeros() -> None:
    registry = CollectorRegistry()
    ours = Distributions("age_seconds", "Age.", "topic", registry=registry, buckets=BOUNDS)

    ours.of("a")

    assert registry.get_sample_value("age_seconds_count", {"topic": "a"}) == 0


def shown(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]
