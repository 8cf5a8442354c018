"""Which single words take back or give a contact's consent.

Twilio acts on its keywords for SMS by itself and passes them on
(twilio.com/docs/messaging/tutorials/advanced-opt-out); on WhatsApp, and in Portuguese, nobody acts
on them but us. `OptOutType` is what Twilio matched; a standard STOP can come without it, so the
words decide as well.
"""

from enum import StrEnum

from common.events import Channel
from processor.words import fold


class Consent(StrEnum):
    """What a contact says about being written to."""

    STOP = "stop"
    START = "start"
    HELP = "help"


_TOLD_BY_TWILIO = {"STOP": Consent.STOP, "START": Consent.START, "HELP": Consent.HELP}
_STOP = frozenset(
    ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "parar", "pare", "sair")
)
_START = frozenset(("start", "unstop", "voltar"))
_START_ON_SMS = _START | {"yes"}
_HELP_ON_SMS = frozenset(("help", "info"))


def consent_in(
    text: str, *, channel: Channel, opted_out: bool, opt_out_type: str | None
) -> Consent | None:
    """Return what `text` says about consent; None for an ordinary message.

    Words that give consent count only from somebody who took it back: "start" and "yes" are
    ordinary otherwise. On SMS Twilio has answered HELP already, so that it is no question to us.
    """
    if opt_out_type in _TOLD_BY_TWILIO:
        return _TOLD_BY_TWILIO[opt_out_type]
    word = fold(text).strip(" \t\r\n.!\"'")
    if word in _STOP:
        return Consent.STOP
    if opted_out and word in (_START_ON_SMS if channel is Channel.SMS else _START):
        return Consent.START
    if channel is Channel.SMS and word in _HELP_ON_SMS:
        return Consent.HELP
    return None
