"""Twilio's form → what happened. Pure: bytes in, payload out.

Fields are those of twilio.com/docs/messaging/guides/webhook-request and
…/outbound-message-status-in-status-callbacks. Twilio adds fields without notice, so each that is
not read here is kept in `attributes`; and addresses need not be numbers, so none is required to be.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from common.events import Channel, DeliveryReported, MediaReference, MessageReceived
from common.ids import Ulid, parse_id
from gateway.twilio_signature import Form

_MOST_FIELDS = 1_000  # a message has some thirty
_LONGEST_KEY = 255  # what becomes part of a record's key and of database indexes
_SCHEME = re.compile(r"([a-z][a-z0-9]*):")
_CHANNELS = {None: Channel.SMS, "whatsapp": Channel.WHATSAPP}
_UNNAMED_TYPE = "application/octet-stream"

Fields = dict[str, str]


class MalformedFormError(Exception):
    """The form says nothing we can take; the message is a sentence without any of its content."""


def parse(body: bytes) -> Form:
    """Split a form into its names and values, blank and repeated ones included."""
    try:
        fields = body.replace(b"+", b" ").decode().split("&")
        if len(fields) > _MOST_FIELDS:
            raise MalformedFormError("The form has too many fields.")
        return [
            (
                _unescaped(name) if "%" in name else name,  # hardly ever
                _unescaped(value) if "%" in value else value,
            )
            for name, _, value in [field.partition("=") for field in fields if field]
        ]
    except UnicodeDecodeError:
        raise MalformedFormError("The form is not UTF-8, or has a broken percent escape.") from None


def without_nul(form: Form) -> Fields:
    """Leave out NUL, which Postgres keeps in no text; of a repeated name the last value stands."""
    return {name.replace("\0", ""): value.replace("\0", "") for name, value in form}


def message_received(fields: Fields, *, account: Ulid, at: datetime) -> MessageReceived:
    """Read a form that Twilio posts when a contact wrote."""
    rest = _all_but_account(fields)
    contact = _required(rest, "From")
    return MessageReceived(
        account=account,
        provider_message_id=_identifier(rest),
        channel=_channel(contact),
        sender=_required(rest, "To"),
        contact=contact,
        text=rest.pop("Body", ""),
        media=tuple(_take_media(rest)),
        profile_name=rest.pop("ProfileName", None) or None,
        received_at=at,
        attributes=rest,
    )


def delivery_reported(
    fields: Fields, *, account: Ulid, part: Ulid | None, at: datetime
) -> DeliveryReported:
    """Read a form that Twilio posts when the status of a message of ours changed."""
    rest = _all_but_account(fields)
    return DeliveryReported(
        account=account,
        part=part,
        provider_message_id=_identifier(rest),
        status=_required(rest, "MessageStatus"),
        error_code=_take_number(rest, "ErrorCode"),
        reported_at=at,
        attributes=rest,
    )


def id_in_query(query: bytes, name: str) -> Ulid | None:
    """Return the id that we put into a callback's URL; None where there is none that parses."""
    try:
        return parse_id(dict(parse(query))[name])
    except (KeyError, ValueError, MalformedFormError):
        return None


def _unescaped(content: str) -> str:
    r"""Read `%C3%A7` as Python reads `\xC3\xA7`: its codec is several times as fast as a loop."""
    escaped = content.encode().replace(b"\\", rb"\\").replace(b"%", rb"\x")
    return escaped.decode("unicode_escape").encode("latin-1").decode()


def _all_but_account(fields: Fields) -> Fields:
    """Leave out what the signature vouched for, once it is there."""
    rest = dict(fields)
    _required(rest, "AccountSid")
    return rest


def _required(rest: Fields, name: str) -> str:
    value = rest.pop(name, "")
    if not value:
        raise MalformedFormError(f"The form has no {name}.")
    if len(value) > _LONGEST_KEY:
        raise MalformedFormError(f"{name} is too long.")
    return value


def _identifier(rest: Fields) -> str:
    sid = _required(rest, "MessageSid")
    if not (sid.isascii() and sid.isalnum()):
        raise MalformedFormError("MessageSid is not an identifier.")
    return sid


def _channel(address: str) -> Channel:
    scheme = _SCHEME.match(address)
    channel = _CHANNELS.get(scheme and scheme[1])
    if channel is None:
        raise MalformedFormError("The channel of From is neither WhatsApp nor SMS.")
    return channel


def _take_media(rest: Fields) -> Iterator[MediaReference]:
    """Take the attachments that are there, in order, whatever `NumMedia` says."""
    named = [name.removeprefix("MediaUrl") for name in rest if "MediaUrl" in name]
    for number in sorted(int(n) for n in named if re.fullmatch(r"0|[1-9][0-9]{0,2}", n)):
        url = rest.pop(f"MediaUrl{number}")
        content_type = rest.pop(f"MediaContentType{number}", "")
        if url:
            yield MediaReference(url=url, content_type=content_type or _UNNAMED_TYPE)


def _take_number(rest: Fields, name: str) -> int | None:
    """Take a number out of the form, or leave what is none where it is."""
    if not re.fullmatch(r"[0-9]{1,9}", rest.get(name, "")):
        return None
    return int(rest.pop(name))
