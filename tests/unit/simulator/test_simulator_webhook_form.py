import json
from dataclasses import replace

import pytest

from simulator.messages import Media, Message
from simulator.webhook_form import inbound_form, status_form

ANA = Message(
    sid="SM" + "1" * 32,
    account_sid="AC" + "a" * 32,
    direction="inbound",
    sender="whatsapp:+551140028922",
    contact="whatsapp:+5511999990001",
    body="Vocês abrem domingo?",
    status="received",
    created_at=0,
    updated_at=0,
    listed_at=0,
)
ANA_BY_SMS = replace(ANA, sender="+551140028922", contact="+5511999990001")
TO_ANA = replace(ANA, direction="outbound-api", status="queued")


def test_a_whatsapp_message_has_the_fields_of_a_capture() -> None:
    form = inbound_form(ANA, "Ana Souza")

    metadata = json.loads(form.pop("ChannelMetadata"))
    assert metadata["data"]["context"] == {"ProfileName": "Ana Souza", "WaId": "5511999990001"}
    assert form == {
        "SmsMessageSid": ANA.sid,
        "SmsSid": ANA.sid,
        "MessageSid": ANA.sid,
        "AccountSid": ANA.account_sid,
        "ApiVersion": "2010-04-01",
        "SmsStatus": "received",
        "From": "whatsapp:+5511999990001",
        "To": "whatsapp:+551140028922",
        "Body": "Vocês abrem domingo?",
        "NumSegments": "1",
        "NumMedia": "0",
        "ProfileName": "Ana Souza",
        "WaId": "5511999990001",
        "MessageType": "text",
        "ReferralNumMedia": "0",
    }


def test_an_sms_has_places_that_are_blank_and_nothing_of_whatsapp() -> None:
    form = inbound_form(ANA_BY_SMS, "Ana Souza")

    assert form["FromCity"] == form["ToCountry"] == ""
    assert not {"ProfileName", "WaId", "MessageType", "ChannelMetadata"} & set(form)


def test_media_are_numbered_and_give_the_message_its_type() -> None:
    photo = Media(url="https://example.org/1", content_type="image/jpeg")
    voice = Media(url="https://example.org/2", content_type="audio/ogg; codecs=opus")

    form = inbound_form(replace(ANA, body="", media=(photo, voice)), None)

    assert (form["NumMedia"], form["Body"], form["MessageType"]) == ("2", "", "image")
    assert (form["MediaUrl1"], form["MediaContentType1"]) == (voice.url, voice.content_type)


def test_a_sender_in_a_service_is_told_with_its_service() -> None:
    in_service = replace(ANA_BY_SMS, service_sid="MG" + "e" * 32)

    assert inbound_form(in_service, None)["MessagingServiceSid"] == in_service.service_sid
    assert status_form(in_service, "sent", None, None)["MessagingServiceSid"]
    assert "MessagingServiceSid" not in inbound_form(ANA_BY_SMS, None)


def test_an_sms_callback_has_the_plain_fields_only() -> None:
    sent = replace(ANA_BY_SMS, direction="outbound-api")

    assert status_form(sent, "sent", None, None) == {
        "MessageSid": sent.sid,
        "SmsSid": sent.sid,
        "MessageStatus": "sent",
        "SmsStatus": "sent",
        "AccountSid": sent.account_sid,
        "ApiVersion": "2010-04-01",
        "From": sent.sender,
        "To": sent.contact,
    }


@pytest.mark.parametrize(
    ("status", "event"), [("sent", None), ("delivered", "DELIVERED"), ("read", "READ")]
)
def test_a_whatsapp_callback_names_its_channel_and_event(status: str, event: str | None) -> None:
    form = status_form(TO_ANA, status, None, None)

    assert form["ChannelPrefix"] == "whatsapp"
    assert form["ChannelToAddress"] == "+551199999XXXX"
    assert form["ChannelInstallSid"].startswith("XE")
    assert form.get("EventType") == event
    assert "ErrorCode" not in form


def test_a_failure_is_told_with_its_code_and_wording() -> None:
    form = status_form(TO_ANA, "undelivered", 63016, "outside the window")

    assert (form["ErrorCode"], form["EventType"]) == ("63016", "UNDELIVERED")
    assert form["ErrorMessage"] == form["ChannelStatusMessage"] == "outside the window"
