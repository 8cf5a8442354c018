"""The simulator, seen by Twilio's own library: what it cannot tell from Twilio."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.unit.simulator.twilio_client import blocking, refused, twilio_client
from tests.unit.simulator.world import (
    ACCOUNT,
    ANA,
    ANA_SMS,
    API_KEY,
    API_SECRET,
    SMS,
    TOKEN,
    WHATSAPP,
    World,
    open_business,
    open_world,
)

SERVICE = "MG" + "e" * 32


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_business() as business, open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        yield world


@pytest.fixture
def client(world: World) -> Client:
    return twilio_client(world.url)


async def test_a_message_is_created_and_fetched(world: World, client: Client) -> None:
    await world.write("Oi")

    created = await blocking(client.messages.create, to=ANA, from_=WHATSAPP, body="Olá, Ana!")
    await world.settled()
    fetched = await blocking(client.messages(str(created.sid)).fetch)

    assert (created.status, created.direction, created.date_sent) == (
        "queued",
        "outbound-api",
        None,
    )
    assert (created.num_segments, created.num_media) == ("1", "0")
    assert str(created.sid).startswith("SM")
    assert len(str(created.sid)) == 34
    assert (fetched.status, fetched.body, fetched.to) == ("read", "Olá, Ana!", ANA)
    assert fetched.date_sent is not None
    assert fetched.error_code is None


async def test_an_api_key_opens_its_account(world: World) -> None:
    client = twilio_client(world.url, API_KEY, API_SECRET)

    created = await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="Oi")

    assert created.account_sid == ACCOUNT


async def test_a_messaging_service_accepts_first_and_chooses_the_sender(
    world: World, client: Client
) -> None:
    await world.put_sender(SMS, service_sid=SERVICE)

    created = await blocking(
        client.messages.create,
        to=ANA_SMS,
        messaging_service_sid=SERVICE,
        body="Oi",
        status_callback=f"{world.business.url}/status",
    )
    await world.settled()

    assert (created.status, created.num_segments) == ("accepted", "0")
    assert created.messaging_service_sid == SERVICE
    assert world.business.statuses() == ["queued", "sent", "delivered"]


async def test_a_customers_message_is_a_webhook_that_twilios_library_trusts(world: World) -> None:
    await world.put_sender(webhook_url=f"{world.business.url}/m?a=%20b'c&d=@#rc=2&rp=5xx")

    sid = await world.write("Vocês abrem domingo? 🥐", profile_name="Ana")
    ledger = await world.settled()

    (received,) = world.business.received
    signature = received.headers["X-Twilio-Signature"]
    validator = RequestValidator(TOKEN)
    assert received.url == f"{world.business.url}/m?a=%20b'c&d=@"
    assert validator.validate(received.url, received.form, signature)
    assert not RequestValidator("another").validate(received.url, received.form, signature)
    assert received.headers["User-Agent"] == "TwilioProxy/1.1"
    assert received.headers["I-Twilio-Idempotency-Token"]
    assert received.form["MessageSid"] == sid
    assert (ledger["inbound"][0]["accepted"], ledger["inbound"][0]["status_code"]) == (True, 200)


async def test_a_status_callback_is_trusted_too_and_carries_our_ids(world: World) -> None:
    await world.write("Oi")
    callback = f"{world.business.url}/status?part=01J&correlation=01K"

    await world.send("Olá", StatusCallback=callback)
    ledger = await world.settled()

    callbacks = [one for one in world.business.received if "MessageStatus" in one.form]
    assert [one.form["MessageStatus"] for one in callbacks] == ["sent", "delivered", "read"]
    assert {one.url for one in callbacks} == {callback}
    validator = RequestValidator(TOKEN)
    for one in callbacks:
        assert validator.validate(one.url, one.form, one.headers["X-Twilio-Signature"])
    (create,) = ledger["creates"]
    assert (create["part"], create["correlation"]) == ("01J", "01K")
    assert create["message_status"] == "read"


async def test_a_free_form_message_to_a_silent_contact_fails_later(
    world: World, client: Client
) -> None:
    created = await blocking(
        client.messages.create,
        to=ANA,
        from_=WHATSAPP,
        body="Saudades!",
        status_callback=f"{world.business.url}/status",
    )
    await world.settled()
    fetched = await blocking(client.messages(str(created.sid)).fetch)

    (callback,) = world.business.received
    assert (callback.form["MessageStatus"], callback.form["ErrorCode"]) == ("undelivered", "63016")
    assert (fetched.status, fetched.error_code) == ("undelivered", 63016)


async def test_stop_blocks_the_pair_until_start(world: World, client: Client) -> None:
    await world.write("Stop", ANA_SMS)
    refusal = await refused(client, to=ANA_SMS, from_=SMS, body="Oi")
    other = await blocking(client.messages.create, to="+5511999990002", from_=SMS, body="Oi")
    await world.write("START", ANA_SMS)
    again = await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="Oi")
    await world.settled()

    replies = await blocking(client.messages.list, to=ANA_SMS, from_=SMS)
    assert refusal.code == 21610
    assert (other.status, again.status) == ("queued", "queued")
    assert world.business.texts() == ["Stop", "START"]
    assert [one.direction for one in replies] == [
        "outbound-api",
        "outbound-reply",
        "outbound-reply",
    ]
    assert "unsubscribed" in str(replies[-1].body)


async def test_whatsapp_knows_no_stop(world: World, client: Client) -> None:
    await world.write("STOP")

    created = await blocking(client.messages.create, to=ANA, from_=WHATSAPP, body="Oi")

    assert created.status == "queued"
