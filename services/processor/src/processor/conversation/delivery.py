"""What became of a reply: told by all facts about its parts, in whatever order they came. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from common.events import Unanswered
from processor.conversation.rules import REPLIED

FAILED = "failed"
UNDER_REVIEW = "under review"
_ARRIVED = frozenset(("delivered", "read"))
_TAKEN = frozenset(("accepted", "sent"))


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of one part of a reply."""

    ordinal: int
    status: str
    reason: Unanswered | None = None


def outcome_of(facts: Iterable[Fact]) -> str:
    """Return the outcome of the messages that the reply covers: the first part that failed decides.

    A part that arrived did not fail, whatever else is said of it. A send under review is settled by
    any other news of the part.
    """
    parts: defaultdict[int, dict[str, Unanswered | None]] = defaultdict(dict)
    for fact in facts:
        parts[fact.ordinal][fact.status] = fact.reason
    failures = (_failure(parts[ordinal]) for ordinal in sorted(parts))
    return next((failure for failure in failures if failure is not None), REPLIED)


def _failure(statuses: Mapping[str, Unanswered | None]) -> Unanswered | None:
    if _ARRIVED & statuses.keys():
        return None
    if FAILED in statuses:
        return statuses[FAILED]
    if UNDER_REVIEW in statuses and not _TAKEN & statuses.keys():
        return statuses[UNDER_REVIEW]
    return None
