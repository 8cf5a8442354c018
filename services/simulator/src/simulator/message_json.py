"""A message as Twilio's REST API shows it (twilio.com/docs/messaging/api/message-resource)."""

from datetime import UTC, datetime
from email.utils import format_datetime

from simulator.messages import Message
from simulator.segments import count_segments
from simulator.twilio_errors import ASYNCHRONOUS

API = "/2010-04-01"


def messages_path(account_sid: str) -> str:
    """Give the path of the account's messages, without `.json`."""
    return f"{API}/Accounts/{account_sid}/Messages"


def message_json(message: Message) -> dict[str, object]:
    """Show every field of the resource; a service counts the segments only later."""
    path = f"{messages_path(message.account_sid)}/{message.sid}"
    counted = message.status != "accepted"
    return {
        "account_sid": message.account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": _date(message.created_at),
        "date_sent": _date(message.sent_at),
        "date_updated": _date(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": ASYNCHRONOUS.get(message.error_code or 0),
        "from": message.source,
        "messaging_service_sid": message.service_sid,
        "num_media": str(len(message.media)),
        "num_segments": str(count_segments(message.body) if counted else 0),
        "price": None,
        "price_unit": None,
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": message.destination,
        "uri": f"{path}.json",
    }


def _date(at: float | None) -> str | None:
    return None if at is None else format_datetime(datetime.fromtimestamp(int(at), UTC))
