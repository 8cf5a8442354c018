"""What happens to a message after Twilio accepted it.

Source: twilio.com/docs/messaging/guides/track-outbound-message-status.
"""

from dataclasses import dataclass

from simulator.addresses import Channel

OUTSIDE_WINDOW = 63016

_RANK = {"accepted": 0, "queued": 1, "sending": 2, "sent": 3, "delivered": 4, "read": 5}
_FAILED = frozenset({"undelivered", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from acceptance to each status; no `read` for customers without read receipts."""

    sent: float
    delivered: float
    read: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A status that comes true so many seconds after the message was accepted."""

    status: str
    after: float
    error_code: int | None = None


def first_status(*, via_service: bool) -> str:
    """Name the status in the answer to the create call, of which no callback ever tells."""
    return "accepted" if via_service else "queued"


def steps(*, channel: Channel, in_window: bool, via_service: bool, pace: Pace) -> list[Step]:
    """List what follows the first status, in order of time."""
    queued = [Step("queued", 0.0)] if via_service else []
    if channel == "whatsapp" and not in_window:
        return [*queued, Step("undelivered", pace.sent, OUTSIDE_WINDOW)]
    arrived = [Step("sent", pace.sent), Step("delivered", pace.delivered)]
    if channel == "whatsapp" and pace.read is not None:
        arrived.append(Step("read", pace.read))
    return [*queued, *arrived]


def advances(current: str, new: str) -> bool:
    """Tell whether a message goes on from one status to the other; it never goes back."""
    if current in _FAILED:
        return False
    return new in _FAILED or _RANK[new] > _RANK[current]
