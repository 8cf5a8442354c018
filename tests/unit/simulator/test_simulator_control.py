"""The simulator's own API."""

from typing import Any

import pytest

from tests.unit.simulator.world import ACCOUNT, ANA, ANA_SMS, SMS, WHATSAPP, World


async def test_senders_are_listed_without_their_secrets(world: World) -> None:
    senders = await world.get("/simulator/senders")

    assert senders == [
        {"address": SMS, "account_sid": ACCOUNT, "name": "Padaria Aurora"},
        {"address": WHATSAPP, "account_sid": ACCOUNT, "name": "Padaria Aurora"},
    ]


async def test_setting_a_sender_up_again_changes_it_and_adds_none(world: World) -> None:
    before = await world.get("/simulator/senders")
    await world.put_sender()
    unchanged = await world.get("/simulator/senders")

    await world.put_sender(webhook_url=f"{world.business.url}/elsewhere", name="Padaria Lua")
    await world.write("Oi")
    await world.settled()

    assert before == unchanged
    assert [one["name"] for one in await world.get("/simulator/senders")] == [
        "Padaria Aurora",
        "Padaria Lua",
    ]
    assert world.business.received[0].url == f"{world.business.url}/elsewhere"


@pytest.mark.parametrize(
    "change",
    [
        {"address": "551140028922"},
        {"account_sid": "AC1"},
        {"auth_token": ""},
        {"webhook_url": "nowhere"},
        {"status_callback": "nowhere"},
        {"colour": "red"},
    ],
)
async def test_a_sender_that_cannot_be_is_refused(world: World, change: dict[str, Any]) -> None:
    sender = {
        "address": WHATSAPP,
        "account_sid": ACCOUNT,
        "auth_token": "token",
        "webhook_url": world.business.url,
    }

    async with world.http.post("/simulator/senders", json=sender | change) as answer:
        assert answer.status == 422


@pytest.mark.parametrize(
    ("contact", "sender"), [(ANA, "whatsapp:+15005550001"), (ANA, SMS), (ANA_SMS, WHATSAPP)]
)
async def test_nobody_can_write_to_a_number_that_is_not_there(
    world: World, contact: str, sender: str
) -> None:
    body = {"from": contact, "to": sender, "text": "Oi"}

    async with world.http.post("/simulator/messages", json=body) as answer:
        assert answer.status == 404
        assert (await answer.json())["detail"] == f"No sender {sender} for {contact}."


async def test_the_conversation_is_read_in_order_and_from_a_message_on(world: World) -> None:
    first = await world.write("primeira")
    await world.send("segunda")
    await world.settled()
    await world.write("de outra pessoa", "whatsapp:+5511999990002")

    whole = await world.get("/simulator/messages", contact=ANA, sender=WHATSAPP)
    later = await world.get("/simulator/messages", contact=ANA, sender=WHATSAPP, after=first)

    assert [(one["direction"], one["text"], one["status"]) for one in whole["messages"]] == [
        ("inbound", "primeira", "received"),
        ("outbound", "segunda", "read"),
    ]
    assert whole["messages"][0]["webhook"] == {
        "state": "delivered",
        "status_code": 200,
        "failure": None,
    }
    assert [one["text"] for one in later["messages"]] == ["segunda"]


async def test_a_webhook_without_an_answer_says_which_kind(world: World) -> None:
    await world.put_sender(webhook_url="http://127.0.0.1:9/#rc=0")

    await world.write("Oi")
    await world.settled()

    read = await world.get("/simulator/messages", contact=ANA, sender=WHATSAPP)
    assert read["messages"][0]["webhook"] == {
        "state": "failed",
        "status_code": None,
        "failure": "ct",
    }


async def test_fields_of_a_test_are_added_to_the_webhook(world: World) -> None:
    await world.write("", fields={"Latitude": "-23.55", "MessageType": "location"})
    await world.settled()

    form = world.business.received[0].form
    assert (form["Latitude"], form["MessageType"], form["Body"]) == ("-23.55", "location", "")


async def test_a_text_keeps_what_phones_can_type(world: World) -> None:
    text = "NUL \x00, setas →, 👩‍👩‍👧 e\nlinhas"

    await world.write(text)
    await world.settled()

    assert world.business.texts() == [text]


async def test_media_are_told_by_their_address(world: World) -> None:
    photo = {"url": "https://example.org/pao.jpg", "content_type": "image/jpeg"}

    sid = await world.write("", ANA_SMS, media=[photo])
    await world.settled()

    form = world.business.received[0].form
    assert sid.startswith("MM")
    assert (form["NumMedia"], form["MediaUrl0"]) == ("1", photo["url"])


async def test_faults_are_set_read_and_cleared(world: World) -> None:
    await world.put_faults(create={"429": {"next": 2}})
    await world.send("Oi")
    left = await world.get("/simulator/faults")
    async with world.http.delete("/simulator/faults") as answer:
        cleared = await answer.json()

    assert left["create"] == {"429": {"next": 1, "rate": 0.0}}
    assert cleared["create"] == {}
    assert (await world.send("Oi"))[0] == 201


async def test_the_ledger_counts_the_creates_of_a_part(world: World) -> None:
    await world.put_faults(create={"500_after_accept": {"next": 1}, "429": {"next": 1}})
    callback = f"{world.business.url}/status?part=01PART&correlation=01CORRELATION"
    for _ in range(3):
        await world.send("Oi", ANA_SMS, StatusCallback=callback)

    creates = (await world.ledger())["creates"]

    assert {(one["part"], one["correlation"]) for one in creates} == {("01PART", "01CORRELATION")}
    assert [one["status_code"] for one in creates] == [500, 429, 201]
    assert [one["fault"] for one in creates] == ["500_after_accept", "429", None]
    assert [one["message_sid"] is not None for one in creates] == [True, False, True]


async def test_an_unknown_address_below_twilios_api_is_not_found_as_twilio_says_it(
    world: World,
) -> None:
    async with world.http.get("/2010-04-01/Nothing.json") as answer:
        assert answer.status == 404
        assert (await answer.json())["code"] == 20404
