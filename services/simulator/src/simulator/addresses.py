"""How Twilio writes who a message is from and to: `+E164` for SMS, `whatsapp:…` for WhatsApp."""

import re
from typing import Literal

Channel = Literal["sms", "whatsapp"]

_WHATSAPP = "whatsapp:"
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_BUSINESS_SCOPED_USER = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}")


def channel_of(address: str) -> Channel:
    """Tell the channel; anything without WhatsApp's prefix is taken for SMS."""
    return "whatsapp" if address.startswith(_WHATSAPP) else "sms"


def bare(address: str) -> str:
    """Give the number (or WhatsApp's user id) without the channel's prefix."""
    return address.removeprefix(_WHATSAPP)


def is_address(address: str) -> bool:
    """Tell whether Twilio would take it for somebody.

    WhatsApp users without a visible phone number are known by an id such as `BR.1a2b3c`.
    """
    name = bare(address)
    if _PHONE.fullmatch(name):
        return True
    return channel_of(address) == "whatsapp" and bool(_BUSINESS_SCOPED_USER.fullmatch(name))
