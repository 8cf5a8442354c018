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
        and have_same_words(message.text, text)
    ]


def have_same_words(text: str, other: str) -> bool:
    """Tell whether the texts differ in white space at most: what lists a text may trim it."""
    return text.split() == other.split()
