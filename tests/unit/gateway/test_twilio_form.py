from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Channel, DeliveryReported, MediaReference, MessageReceived
from common.ids import new_id
from gateway.twilio_form import (
    MalformedFormError,
    delivery_reported,
    id_in_query,
    message_received,
    parse,
    without_nul,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCOUNT = new_id()
SID = "SM" + "0a" * 16
INBOUND = {
    "AccountSid": "AC1",
    "MessageSid": SID,
    "From": "whatsapp:+5511987654321",
    "To": "whatsapp:+551150281000",
    "Body": "Vocês abrem domingo?",
}
STATUS = {"AccountSid": "AC1", "MessageSid": SID, "MessageStatus": "delivered"}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def received(**fields: str) -> MessageReceived:
    return message_received(INBOUND | fields, account=ACCOUNT, at=NOON)


def reported(**fields: str) -> DeliveryReported:
    return delivery_reported(STATUS | fields, account=ACCOUNT, part=None, at=NOON)


@given(st.lists(st.tuples(texts, texts), max_size=20))
def test_a_form_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    written = [(name, value) for name, value in pairs if name or value]

    form = parse(urlencode(written).encode())

    assert form == written
    assert without_nul(form) == dict(written)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", []),
        (b"a", [("a", "")]),
        (b"a=&b=+x+&&=y", [("a", ""), ("b", " x "), ("", "y")]),
        (b"a=b=c%3D%26", [("a", "b=c=&")]),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"%61=%2b", [("a", "+")]),
        (rb"\x61=\%41%5Cx41\n", [(r"\x61", r"\A\x41\n")]),
        ("a=é%C3%A9".encode(), [("a", "éé")]),
    ],
)
def test_blanks_repeats_and_escapes_are_kept(body: bytes, form: object) -> None:
    assert parse(body) == form


@pytest.mark.parametrize(
    "body",
    [
        *(b"Body=100%", b"Body=%4", b"Body=%zz", b"%u0041=x"),
        *(b"Body=%FF", b"Body=%ED%A0%80", b"%C3=x", b"Body=\xff"),
    ],
)
def test_a_broken_escape_and_what_is_no_utf_8_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedFormError, match="not UTF-8"):
        parse(body)


def test_a_form_of_too_many_fields_is_refused() -> None:
    assert len(parse(b"&".join([b"a=1"] * 1_000))) == 1_000
    with pytest.raises(MalformedFormError, match="too many fields"):
        parse(b"&".join([b"a"] * 1_001))


def test_a_message_is_translated() -> None:
    message = received(ProfileName="Ana")

    assert message == MessageReceived(
        account=ACCOUNT,
        provider_message_id=SID,
        channel=Channel.WHATSAPP,
        sender="whatsapp:+551150281000",
        contact="whatsapp:+5511987654321",
        text="Vocês abrem domingo?",
        profile_name="Ana",
        received_at=NOON,
    )


def test_unknown_fields_are_kept_as_they_came() -> None:
    unknown = {"OtherRecipients0": "+1555", "AddOns": '{"a": 1}', "FromCity": "", "NumMedia": "0"}

    assert received(**unknown).attributes == unknown
    assert reported(**unknown).attributes == unknown


@pytest.mark.parametrize(
    ("address", "channel"),
    [
        ("whatsapp:+5511987654321", Channel.WHATSAPP),
        ("whatsapp:US.1349abc", Channel.WHATSAPP),
        ("+5511987654321", Channel.SMS),
        ("28149", Channel.SMS),
        ("not a number", Channel.SMS),
        ("+", Channel.SMS),
    ],
)
def test_the_channel_is_told_by_the_prefix_and_no_number_need_be_one(
    address: str, channel: Channel
) -> None:
    message = received(From=address)

    assert (message.channel, message.contact) == (channel, address)


def test_a_channel_we_do_not_speak_is_refused() -> None:
    with pytest.raises(MalformedFormError, match="neither WhatsApp nor SMS"):
        received(From="messenger:1234")


@pytest.mark.parametrize("name", ["AccountSid", "MessageSid", "From", "To"])
def test_a_message_without_what_names_it_is_refused(name: str) -> None:
    for fields in (INBOUND | {name: ""}, {k: v for k, v in INBOUND.items() if k != name}):
        with pytest.raises(MalformedFormError, match=f"no {name}"):
            message_received(fields, account=ACCOUNT, at=NOON)


@pytest.mark.parametrize("name", ["AccountSid", "MessageSid", "MessageStatus"])
def test_a_status_without_what_names_it_is_refused(name: str) -> None:
    with pytest.raises(MalformedFormError, match=f"no {name}"):
        reported(**{name: ""})


@pytest.mark.parametrize("sid", ["SM 1", "SM1|x", "ção", "../x"])
def test_an_identifier_is_letters_and_digits(sid: str) -> None:
    with pytest.raises(MalformedFormError, match="MessageSid is not an identifier"):
        received(MessageSid=sid)


@pytest.mark.parametrize("name", ["MessageSid", "From", "To"])
def test_a_key_too_long_for_an_index_is_refused_without_being_shown(name: str) -> None:
    with pytest.raises(MalformedFormError, match=f"{name} is too long") as refused:
        received(**{name: "9" * 256})

    assert "999" not in str(refused.value)


def test_a_message_without_text_is_taken() -> None:
    without_body = {k: v for k, v in INBOUND.items() if k != "Body"}
    location = without_body | {"Latitude": "-23.5", "Longitude": "-46.6", "MessageType": "location"}

    message = message_received(location, account=ACCOUNT, at=NOON)

    assert message.text == ""
    assert message.attributes["Latitude"] == "-23.5"


def test_a_nul_is_left_out() -> None:
    fields = without_nul(parse(urlencode(INBOUND | {"Body": "a\0b", "X": "\0"}).encode()))

    message = message_received(fields, account=ACCOUNT, at=NOON)

    assert message.text == "ab"
    assert message.attributes["X"] == ""


@pytest.mark.parametrize("number", ["1", "0", "", "many", "-1", "99999999999"])
def test_media_is_what_is_there_whatever_the_count_says(number: str) -> None:
    message = received(
        NumMedia=number,
        MediaUrl10="https://m/10",
        MediaUrl2="https://m/2",
        MediaContentType2="image/jpeg",
        MediaUrl0="",
        MediaContentType0="image/png",
        MediaContentType7="audio/ogg",
        MediaUrlX="kept",
    )

    assert message.media == (
        MediaReference(url="https://m/2", content_type="image/jpeg"),
        MediaReference(url="https://m/10", content_type="application/octet-stream"),
    )
    assert message.attributes == {
        "NumMedia": number,
        "MediaContentType7": "audio/ogg",
        "MediaUrlX": "kept",
    }


def test_a_status_is_translated() -> None:
    part = new_id()
    fields = STATUS | {"MessageStatus": "undelivered", "ErrorCode": "63016", "To": "+1"}

    report = delivery_reported(fields, account=ACCOUNT, part=part, at=NOON)

    assert report == DeliveryReported(
        account=ACCOUNT,
        provider_message_id=SID,
        part=part,
        status="undelivered",
        error_code=63016,
        reported_at=NOON,
        attributes={"To": "+1"},
    )


@pytest.mark.parametrize("code", ["", "E63016", "-1", "1e3", "٣", "1" * 40])
def test_an_error_code_that_is_no_number_stays_an_attribute(code: str) -> None:
    report = reported(ErrorCode=code)

    assert report.error_code is None
    assert report.attributes == {"ErrorCode": code}


def test_a_status_nobody_knows_yet_is_taken() -> None:
    assert reported(MessageStatus="teleported").status == "teleported"


def test_our_ids_come_back_in_the_query() -> None:
    part, correlation = new_id(), new_id()
    query = f"part={part}&correlation={str(correlation).lower()}".encode()

    assert id_in_query(query, "part") == part
    assert id_in_query(query, "correlation") == correlation


@pytest.mark.parametrize(
    "query", [b"", b"part=", b"part=x", b"part=%FF", b"part=%zz", b"other=1", b"part=" + b"Z" * 26]
)
def test_an_id_that_does_not_parse_is_none(query: bytes) -> None:
    assert id_in_query(query, "part") is None
