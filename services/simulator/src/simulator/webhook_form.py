"""The forms Twilio posts, field by field (twilio.com/docs/messaging/guides/webhook-request)."""

import json

from simulator.addresses import bare, channel_of
from simulator.messages import Message
from simulator.segments import count_segments
from simulator.sids import sid_for

_API_VERSION = "2010-04-01"
_PLACES = ("City", "State", "Zip", "Country")


def inbound_form(message: Message, profile_name: str | None) -> dict[str, str]:
    """Build the form that tells of a customer's message. Blank fields are sent, as Twilio does."""
    form = {
        "SmsMessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "ApiVersion": _API_VERSION,
        "SmsStatus": "received",
        "From": message.contact,
        "To": message.sender,
        "Body": message.body,
        "NumSegments": str(count_segments(message.body)),
        "NumMedia": str(len(message.media)),
    }
    for number, file in enumerate(message.media):
        form[f"MediaUrl{number}"] = file.url
        form[f"MediaContentType{number}"] = file.content_type or "application/octet-stream"
    if message.service_sid:
        form["MessagingServiceSid"] = message.service_sid
    channel = _whatsapp(message, profile_name) if message.channel == "whatsapp" else _places()
    return form | channel


def status_form(
    message: Message, status: str, error_code: int | None, wording: str | None
) -> dict[str, str]:
    """Build the form of a status callback. WhatsApp's has more fields than that of SMS."""
    form = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": status,
        "SmsStatus": status,
        "AccountSid": message.account_sid,
        "ApiVersion": _API_VERSION,
        "From": message.sender,
        "To": message.contact,
    }
    if message.service_sid:
        form["MessagingServiceSid"] = message.service_sid
    if error_code is not None:
        form |= {"ErrorCode": str(error_code), "ErrorMessage": wording or ""}
    if channel_of(message.contact) == "sms":
        return form
    return form | _channel_status(message, status, wording)


def _whatsapp(message: Message, profile_name: str | None) -> dict[str, str]:
    name = profile_name or bare(message.contact)
    number = bare(message.contact).removeprefix("+")
    context = {"ProfileName": name, "WaId": number}
    kind = (message.media[0].content_type or "document") if message.media else "text"
    return {
        "ProfileName": name,
        "WaId": number,
        "MessageType": _MESSAGE_TYPES.get(kind.partition("/")[0], "document"),
        "ReferralNumMedia": "0",
        "ChannelMetadata": json.dumps(
            {"type": "whatsapp", "data": {"context": context}}, separators=(",", ":")
        ),
    }


_MESSAGE_TYPES = {"text": "text", "image": "image", "audio": "audio", "video": "video"}


def _places() -> dict[str, str]:
    return {f"{end}{place}": "" for end in ("From", "To") for place in _PLACES}


def _channel_status(message: Message, status: str, wording: str | None) -> dict[str, str]:
    form = {
        "ChannelPrefix": "whatsapp",
        "ChannelInstallSid": sid_for("XE", message.sender),
        "ChannelToAddress": bare(message.contact)[:-4] + "XXXX",
        "StructuredMessage": "false",
    }
    if status in {"delivered", "read", "undelivered"}:
        form["EventType"] = status.upper()
    if wording:
        form["ChannelStatusMessage"] = wording
    return form
