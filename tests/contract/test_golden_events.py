"""Golden files: what is on the wire today must be readable tomorrow.

A changed golden file is a changed contract. Addition of a field may add to a file; anything else is
a new type. With `RECADO_WRITE_GOLDEN=1` in the environment this test writes its files anew.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.events import (
    TOPICS,
    Channel,
    DeliveryReported,
    Event,
    MediaReference,
    MessageReceived,
    Payload,
    Record,
    SendAccepted,
    SendDelivered,
    SendFailed,
    SendMessage,
    Unanswered,
    decode,
    encode,
)
from common.ids import Ulid, parse_id

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 23, 14, 30, 15, 250_000, tzinfo=UTC)
SENDER, CONTACT = "whatsapp:+551140028922", "whatsapp:+5511999990001"


def one(number: int) -> Ulid:
    return parse_id(f"01JDCGXK9MZ0000000000000{number:02d}")


SENT_PART: dict[str, Any] = {
    "message": one(4),
    "sender": SENDER,
    "recipient": CONTACT,
    "part": one(5),
    "ordinal": 0,
    "parts": 2,
    "at": AT,
}
PAYLOADS: list[Payload] = [
    MessageReceived(
        account=one(3),
        provider_message_id="SM0123456789abcdef0123456789abcdef",
        channel=Channel.WHATSAPP,
        sender=SENDER,
        contact=CONTACT,
        text="Vocês abrem domingo? 🥐",
        media=(MediaReference(url="https://api.twilio.com/media/1", content_type="image/jpeg"),),
        profile_name="Ana",
        received_at=AT,
        attributes={"WaId": "5511999990001", "SomethingNew": "kept"},
    ),
    SendMessage(
        message=one(4),
        account=one(3),
        channel=Channel.WHATSAPP,
        sender=SENDER,
        recipient=CONTACT,
        text="Sim, das 7h às 13h.",
        not_after=AT,
    ),
    DeliveryReported(
        account=one(3),
        provider_message_id="SM0123456789abcdef0123456789abcdef",
        part=one(5),
        status="undelivered",
        error_code=63016,
        reported_at=AT,
        attributes={"ChannelPrefix": "whatsapp"},
    ),
    SendAccepted(**SENT_PART, provider_message_id="SM0123456789abcdef0123456789abcdef"),
    SendDelivered(**SENT_PART, status="read"),
    SendFailed(**SENT_PART, reason=Unanswered.WINDOW, error_code=63016),
]


def event_of(payload: Payload) -> Event[Payload]:
    return Event(one(1), "recado", AT, tenant=one(2), correlation=one(6), payload=payload)


def written(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "key": record.key,
        "headers": {name: value.decode() for name, value in record.headers},
        "value": json.loads(record.value),
    }


def read(golden: dict[str, Any]) -> Record:
    headers = tuple((name, value.encode()) for name, value in golden["headers"].items())
    return Record(golden["topic"], golden["key"], headers, json.dumps(golden["value"]).encode())


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.type)
def test_an_event_is_written_and_read_as_its_golden_file_says(payload: Payload) -> None:
    file = GOLDEN / f"{payload.type}.json"
    if "RECADO_WRITE_GOLDEN" in os.environ:
        record = written(encode(event_of(payload)))
        file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    golden = json.loads(file.read_text())

    assert written(encode(event_of(payload))) == golden
    assert decode(read(golden)) == event_of(payload)


def test_every_payload_has_a_golden_file() -> None:
    known = {payload.type for topic in TOPICS for payload in topic.payloads}

    assert {file.stem for file in GOLDEN.glob("*.json")} == known
