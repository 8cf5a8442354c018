"""Histograms for what happens a hundred thousand times a second: plain numbers until they are read.

A histogram of prometheus_client takes locks and walks its bounds at each observation, which costs
as much as reading a record.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Distribution:
    """How many values fell under each bound. To be used by one thread."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin at zero; `bounds` grow."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def add_to(self, family: HistogramMetricFamily, label: str) -> None:
        """Show what was counted."""
        below, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric([label], buckets, self._total)


class Distributions(Collector):
    """A histogram with one label."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str,
        *,
        registry: CollectorRegistry,
        buckets: Sequence[float],
    ) -> None:
        """Register it."""
        self._name = name
        self._documentation = documentation
        self._label = label
        self._buckets = buckets
        self._distributions: dict[str, Distribution] = {}
        registry.register(self)

    def of(self, value: str) -> Distribution:
        """Return that of one value of the label: for ever the same, so keep it."""
        return self._distributions.setdefault(value, Distribution(self._buckets))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `Collector`."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        for value, distribution in self._distributions.items():
            distribution.add_to(family, value)
        yield family
