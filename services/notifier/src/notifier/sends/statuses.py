"""What the provider's statuses mean for a part, in whatever order they come.

Twilio's callbacks may be late, doubled, missing and out of order, so a part keeps a map of each
status and when it was first reported, and its state is a function of that map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

Statuses = Mapping[str, str]
"""Twilio's word → when it was first reported, in ISO 8601, UTC, to the microsecond."""


class PartState(StrEnum):
    """Where a part stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    """Handed, or about to be handed, to the provider by the holder of its claim token."""
    UNCERTAIN = "uncertain"
    """Nobody knows whether the provider took it."""
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"
    """Nobody could find out; it is not sent again."""


OPEN = (PartState.WAITING, PartState.CLAIMED, PartState.UNCERTAIN)
"""States in which later parts to the same recipient may have to wait."""

MAYBE_SENT = (PartState.CLAIMED, PartState.UNCERTAIN, PartState.NEEDS_REVIEW)
"""States in which the provider may have the part although we have no id of its."""

_PROGRESS = {"sent": PartState.SENT, "delivered": PartState.DELIVERED, "read": PartState.READ}
_FAILURES = ("failed", "undelivered", "canceled")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a map of statuses says."""

    state: PartState
    status: str
    """The status that decided."""
    conflict: bool
    """Reported as failed and as on the handset: the handset is believed."""


def reported(status: str, at: datetime) -> Statuses:
    """Return the map of one report."""
    return {status: at.astimezone(UTC).isoformat(timespec="microseconds")}


def merge(known: Statuses, news: Statuses) -> Statuses:
    """Return both maps in one; the earlier time of a status stays."""
    return {
        status: min(at for at in (known.get(status), news.get(status)) if at is not None)
        for status in (*known, *(status for status in news if status not in known))
    }


def standing(statuses: Statuses) -> Standing:
    """Return the highest that was reached; unknown statuses say only that the provider has it."""
    failure = next((status for status in _FAILURES if status in statuses), None)
    reached = max(
        (status for status in _PROGRESS if status in statuses),
        key=list(_PROGRESS).index,
        default=None,
    )
    if failure is not None and reached in (None, "sent"):
        return Standing(PartState.FAILED, failure, conflict=False)
    if reached is None:
        return Standing(PartState.ACCEPTED, "accepted", conflict=False)
    return Standing(_PROGRESS[reached], reached, conflict=failure is not None)
