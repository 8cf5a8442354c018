"""The words Twilio itself acts on in SMS (twilio.com/docs/messaging/tutorials/advanced-opt-out).

The message also goes to the webhook. On WhatsApp none of this happens without Advanced Opt-Out.
"""

from typing import Literal

Consent = Literal["stop", "start", "help"]

_WORDS: dict[str, Consent] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), "stop"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "start"),
    **dict.fromkeys(("HELP", "INFO"), "help"),
}

REPLIES: dict[Consent, str] = {
    "stop": (
        "You have successfully been unsubscribed. You will not receive any more messages from this"
        " number. Reply START to resubscribe."
    ),
    "start": (
        "You have successfully been re-subscribed to messages from this number. Reply HELP for"
        " help. Reply STOP to unsubscribe. Msg&Data Rates May Apply."
    ),
    "help": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
"""What Twilio answers by itself, without asking anyone."""


def consent_word(text: str) -> Consent | None:
    """Recognise a keyword; it must be the only word of the message."""
    return _WORDS.get(text.strip().upper())
