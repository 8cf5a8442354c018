"""Which of the messages that the provider lists is the part that we are not sure of."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from notifier.message_sender import ListedMessage

_CLOCKS_DIFFER: Final = timedelta(seconds=5)  # theirs and ours; Twilio's times are whole seconds


def candidates(
    listed: Iterable[ListedMessage], *, text: str, since: datetime, bound: Collection[str]
) -> list[ListedMessage]:
    """Return those with our text, made since we asked, that no other part of ours is known by."""
    return [
        message
        for message in listed
        if (message.created_at is None or message.created_at >= since - _CLOCKS_DIFFER)
        and message.provider_message_id not in bound
        and _words(message.text) == _words(text)
    ]


def _words(text: str) -> list[str]:
    return text.split()  # what lists a text may have trimmed it
