"""What one consumer shows of itself: lag, work in hand, what waits to be committed."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from common.broker.engine.acknowledgements import Acknowledgements
from common.broker.engine.held import Held
from common.broker.engine.lanes import Lanes
from common.events import header
from common.observability.metrics import Metrics


class Measures:
    """The gauges of one group."""

    def __init__(self, metrics: Metrics, group: str, topics: Collection[str]) -> None:
        """Measure these topics."""
        self._topics = topics
        self._lag_records = metrics.lag_records
        self._lag_seconds = metrics.lag_seconds
        self._commit_age = metrics.commit_age_seconds.labels(group)
        self.in_flight = metrics.records_in_flight.labels(group)
        self.shards_given_back = metrics.shards_given_back.labels(group)

    def show(
        self, lanes: Lanes, acknowledgements: Acknowledgements, waiting: Mapping[str, int]
    ) -> None:
        """Show how things stand; `waiting` are the records by topic that are yet to come."""
        held = Counter(each.delivery.record.topic for each in lanes)
        oldest = _oldest(lanes)
        now = datetime.now(UTC)
        for topic in self._topics:
            self._lag_records.labels(topic).set(held[topic] + waiting.get(topic, 0))
            age = (now - oldest.get(topic, now)).total_seconds()
            self._lag_seconds.labels(topic).set(max(0.0, age))
        self._commit_age.set(acknowledgements.age())


def _oldest(lanes: Lanes) -> dict[str, datetime]:
    """Return when the oldest record of each topic was made, as far as records say so."""
    oldest: dict[str, datetime] = {}
    for held in lanes.heads():
        topic, made = held.delivery.record.topic, _made_at(held)
        if made is not None and made < oldest.get(topic, made.max.replace(tzinfo=UTC)):
            oldest[topic] = made
    return oldest


def _made_at(held: Held) -> datetime | None:
    try:
        made = datetime.fromisoformat(header(held.delivery.record, "ce_time") or "")
    except ValueError:
        return None
    return made if made.tzinfo is not None else None
