"""Events: written as records and read back, refused with a reason when they are not ours."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import (
    TOPICS,
    Channel,
    DeliveryReported,
    Event,
    MessageReceived,
    Payload,
    Record,
    UndecodableError,
    decode,
    encode,
    header,
    topic_of,
)
from common.ids import new_id

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def message(text: str = "Vocês abrem domingo?", **attributes: str) -> Event[MessageReceived]:
    return Event.of(
        MessageReceived(
            account=new_id(),
            provider_message_id="SM1",
            channel=Channel.WHATSAPP,
            sender="whatsapp:+551140000000",
            contact="whatsapp:+5511999990001",
            text=text,
            received_at=NOW,
            attributes=attributes,
        ),
        source="gateway",
        tenant=new_id(),
        correlation=new_id(),
    )


@given(st.text(alphabet=st.characters(codec="utf-8")), st.dictionaries(st.text(), st.text()))
def test_an_event_survives_its_record(text: str, attributes: dict[str, str]) -> None:
    event = message(
        text, **{k: v for k, v in attributes.items() if k.isidentifier() and k != "text"}
    )

    assert decode(encode(event)) == event


def test_the_attributes_travel_as_headers() -> None:
    event = message()

    record = encode(event)

    assert record.topic == "messages.received"
    assert record.key == event.payload.key
    assert header(record, "ce_type") == "messages.received.v1"
    assert header(record, "ce_correlationid") == str(event.correlation)
    assert header(record, "ce_tenantid") == str(event.tenant)


def test_one_contact_at_one_sender_is_one_key() -> None:
    first, second = message("a").payload, message("b").payload
    same = second.model_copy(update={"account": first.account})

    assert first.key == same.key
    assert first.key != first.model_copy(update={"contact": "whatsapp:+1"}).key


def _without(record: Record, name: str) -> Record:
    return replace(record, headers=tuple(pair for pair in record.headers if pair[0] != name))


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_source", "ce_time", "ce_tenantid", "ce_correlationid", "ce_type"]
)
def test_a_record_without_an_attribute_is_undecodable(name: str) -> None:
    with pytest.raises(UndecodableError):
        decode(_without(encode(message()), name))


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"[]", b"{}", b'{"account": 3}'])
def test_wrong_bytes_are_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(replace(encode(message()), value=value))


def test_a_payload_on_the_wrong_topic_is_undecodable() -> None:
    with pytest.raises(UndecodableError, match=r"belongs on messages\.send"):
        decode(replace(encode(message()), topic="messages.send"))


def test_the_refusal_does_not_repeat_what_the_customer_wrote() -> None:
    record = replace(encode(message()), value=b'{"text": "my card is 4111", "media": 3}')

    with pytest.raises(UndecodableError) as refusal:
        decode(record)

    assert "4111" not in str(refusal.value)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    record = encode(message())
    newer = replace(record, value=record.value[:-1] + b', "mood": "good"}')

    assert decode(newer).payload.text == "Vocês abrem domingo?"


def test_every_payload_has_one_topic() -> None:
    kinds = [payload.type for topic in TOPICS for payload in topic.payloads]

    assert len(kinds) == len(set(kinds))


def test_a_status_callback_is_keyed_by_the_providers_message() -> None:
    payload: Payload = DeliveryReported(
        account=new_id(), provider_message_id="SM9", part=None, status="sent", reported_at=NOW
    )

    assert payload.key == "SM9"
    assert topic_of(payload).name == "deliveries.reported"
