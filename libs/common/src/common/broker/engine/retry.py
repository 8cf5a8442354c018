"""When a record that failed is tried again, and when it is given up."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from common.backoff import upper_end
from common.errors import StartError
from common.events import TOPICS
from common.settings import BrokerSettings, TopicRetry


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter, in seconds, bounded in attempts and in time."""

    attempts: int
    first: float
    longest: float
    budget: float = 60.0
    """A record that began to fail this long ago is given up whatever its attempts."""
    topics: Mapping[str, "RetryPolicy"] = field(default_factory=dict[str, "RetryPolicy"])
    """Those of topics that have one of their own."""

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        """Take what the operator chose. Raises `StartError` for a topic that does not exist."""
        _refuse_unknown(settings.retry_topics)
        default = cls(
            attempts=settings.retry_attempts,
            first=settings.retry_first_seconds,
            longest=settings.retry_longest_seconds,
            budget=settings.retry_budget_seconds,
        )
        own = {topic: _merged(default, own) for topic, own in settings.retry_topics.items()}
        return replace(default, topics=own)

    def of_topic(self, topic: str) -> "RetryPolicy":
        """Return the policy for records of this topic."""
        return self.topics.get(topic, self)

    def delay(self, attempts: int, failing_for: float) -> float | None:
        """Return the wait before the next attempt, or None when the record is to be given up.

        `attempts` failed so far, the first of them `failing_for` seconds ago.
        """
        if attempts >= self.attempts or failing_for >= self.budget:
            return None
        wait = random.uniform(0.0, upper_end(self.first, self.longest, attempts))  # noqa: S311 - jitter guards nothing
        return self.within_budget(wait, failing_for)

    def within_budget(self, wait: float, failing_for: float) -> float:
        """Cut a wait short where it would pass the budget: the last attempt is at its end."""
        return min(wait, max(0.0, self.budget - failing_for))


def _merged(default: RetryPolicy, own: TopicRetry) -> RetryPolicy:
    return RetryPolicy(
        attempts=own.attempts or default.attempts,
        first=own.first_seconds or default.first,
        longest=own.longest_seconds or default.longest,
        budget=own.budget_seconds or default.budget,
    )


def _refuse_unknown(topics: Iterable[str]) -> None:
    names = {topic.name for topic in TOPICS}
    if unknown := set(topics) - names:
        raise StartError(
            f"Mend RECADO_BROKER_RETRY_TOPICS: there is no topic {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(names))}."
        )
