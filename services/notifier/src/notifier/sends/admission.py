"""May this part be sent now? The last gate before the provider."""

from datetime import datetime, timedelta
from typing import Final

from common.accounts import Permission
from common.events import Channel, Unanswered
from notifier.sends.part import Part

WINDOW: Final = timedelta(hours=24)
"""From the contact's last message WhatsApp takes free text for this long (error 63016 after it)."""


def refusal(
    part: Part, permission: Permission | None, *, overtaken: bool, now: datetime
) -> Unanswered | None:
    """Return why the part must not be sent, or None.

    `overtaken`: a later part was already handed to the provider, and a conversation read backwards
    is worse than a gap that a person knows of.
    """
    if overtaken:
        return Unanswered.UNDER_REVIEW
    if permission is not None and permission.opted_out_at is not None:
        return Unanswered.OPTED_OUT
    if now > part.not_after:
        return Unanswered.AGE
    if part.channel == Channel.WHATSAPP and not _in_window(permission, now):
        return Unanswered.WINDOW
    return None


def _in_window(permission: Permission | None, now: datetime) -> bool:
    last = permission.last_inbound_at if permission is not None else None
    return last is not None and now - last < WINDOW
