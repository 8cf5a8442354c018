"""Counters for what happens a hundred thousand times a second: plain numbers until they are read.

A counter of prometheus_client takes a lock, and five calls, each time.
"""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class Count:
    """How often something happened. To be used by one thread."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        """Begin at zero."""
        self.number = 0

    def inc(self) -> None:
        """Count once more."""
        self.number += 1


class Counts(Collector):
    """A counter with labels."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], *, registry: CollectorRegistry
    ) -> None:
        """Register it."""
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """Return that of some values of the labels: for ever the same, so keep it."""
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has labels {self._labels}, not {values}")
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See `Collector`."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count.number)
        yield family
