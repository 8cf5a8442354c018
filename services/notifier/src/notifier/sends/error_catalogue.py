"""What Twilio's error codes mean for us, as data (twilio.com/docs/api/errors).

Twilio may change a code for the same cause, so an unknown one is taken for the worst: no second
try.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common.events import Unanswered

TOO_MANY_REQUESTS: Final = 429
_TOO_MANY_REQUESTS_CODE: Final = 20429


class Retry(StrEnum):
    """When the same part may be tried again."""

    RATE = "rate"
    """Later, and nothing of this sender before that: we are too fast."""
    LATER = "later"
    NEVER = "never"
    """This recipient or this content will not be taken."""
    CONFIG = "config"
    """Not before a person mends the account, the sender or the template."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal means."""

    retry: Retry
    reason: Unanswered = Unanswered.REFUSED


RATE_CODES: Final = (14107, 20429, 21611, 30022, 30023, 30027, 63017, 63018, 63038)
_LATER_CODES: Final = (
    *(30001, 30003, 30008, 30017, 30047, 30410, 30500),
    *(63009, 63010, 63012, 63023, 63049),
)
_NEVER_CODES: Final = (
    *(21211, 21214, 21602, 21608, 21612, 21614, 21617, 21620, 21623),
    *(30004, 30005, 30006, 30007, 11751),
    *(63003, 63005, 63006, 63014, 63015, 63019, 63021, 63024, 63030),
    *(63031, 63032, 63033, 63034, 63037, 63051),
)
_CONFIG_CODES: Final = (
    *(20003, 20403, 20404, 21408, 21603, 21606, 21654, 21655, 21656, 21703, 21704, 21705),
    *(30002, 30032, 30034, 30035),
    *(63001, 63002, 63007, 63008, 63013, 63020, 63026, 63027, 63028, 63040, 63041),
)
CATALOGUE: Final = {
    **dict.fromkeys(RATE_CODES, Meaning(Retry.RATE)),
    **dict.fromkeys(_LATER_CODES, Meaning(Retry.LATER)),
    **dict.fromkeys(_NEVER_CODES, Meaning(Retry.NEVER)),
    **dict.fromkeys(_CONFIG_CODES, Meaning(Retry.CONFIG)),
    21610: Meaning(Retry.NEVER, Unanswered.OPTED_OUT),
    63016: Meaning(Retry.NEVER, Unanswered.WINDOW),
}
_BY_HTTP_STATUS: Final = {
    401: Meaning(Retry.CONFIG),
    403: Meaning(Retry.CONFIG),
    404: Meaning(Retry.CONFIG),
    TOO_MANY_REQUESTS: Meaning(Retry.RATE),
}


def meaning(code: int | None, http_status: int | None = None) -> Meaning:
    """Look the code up, or what the HTTP status alone says where there is no known code."""
    if http_status == TOO_MANY_REQUESTS:
        return _BY_HTTP_STATUS[TOO_MANY_REQUESTS]  # whatever the code: it was not processed
    fallback = _BY_HTTP_STATUS.get(http_status or 0, Meaning(Retry.NEVER))
    return CATALOGUE.get(code or 0, fallback)


def rate_code(code: int | None) -> int:
    """Return the code by which a part that slows its sender is known, whatever the answer said."""
    return code if code in RATE_CODES else _TOO_MANY_REQUESTS_CODE
