"""What is refused, as Twilio's own library hears it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.unit.simulator.twilio_client import (
    HttpClientToSimulator,
    blocking,
    refused,
    twilio_client,
)
from tests.unit.simulator.world import (
    ACCOUNT,
    ANA,
    ANA_SMS,
    API_KEY,
    SMS,
    TOKEN,
    WHATSAPP,
    World,
    open_business,
    open_world,
    signed_in,
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


@pytest.mark.parametrize(
    ("user", "password", "account"),
    [
        (ACCOUNT, "wrong", ACCOUNT),
        (API_KEY, TOKEN, ACCOUNT),
        (ACCOUNT, TOKEN, "AC" + "0" * 32),
        ("", "", ACCOUNT),
    ],
)
async def test_whoever_has_no_right_to_an_account_is_refused(
    world: World, user: str, password: str, account: str
) -> None:
    path = f"/2010-04-01/Accounts/{account}/Messages.json"
    headers = signed_in(user, password)

    async with world.http.post(path, data={"To": ANA_SMS}, headers=headers) as answer:
        body = await answer.json()

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'
    assert body == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic !", "Basic /w=="])
async def test_a_senseless_authorization_is_no_error_of_ours(
    world: World, authorization: str
) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

    async with world.http.get(path, headers={"Authorization": authorization}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("code", "call"),
    [
        (21604, {"to": "", "from_": SMS, "body": "Oi"}),
        (21211, {"to": "+12", "from_": SMS, "body": "Oi"}),
        (21602, {"to": ANA_SMS, "from_": SMS, "body": ""}),
        (21617, {"to": ANA_SMS, "from_": SMS, "body": "a" * 1601}),
        (21603, {"to": ANA_SMS, "body": "Oi"}),
        (21606, {"to": ANA_SMS, "from_": "+15005550001", "body": "Oi"}),
        (63007, {"to": ANA, "from_": "whatsapp:+15005550001", "body": "Oi"}),
        (21910, {"to": ANA, "from_": SMS, "body": "Oi"}),
        (63031, {"to": WHATSAPP, "from_": WHATSAPP, "body": "Oi"}),
        (21609, {"to": ANA_SMS, "from_": SMS, "body": "Oi", "status_callback": "ftp://x"}),
        (21655, {"to": ANA, "from_": WHATSAPP, "content_sid": "HX" + "0" * 32}),
        (21705, {"to": ANA_SMS, "messaging_service_sid": SERVICE, "body": "Oi"}),
    ],
)
async def test_what_twilio_refuses_is_refused_with_its_code(
    world: World, client: Client, code: int, call: dict[str, str]
) -> None:
    refusal = await refused(client, **call)

    assert (refusal.code, refusal.status) == (code, 400)
    assert refusal.msg.startswith("Unable to create record: ")
    (create,) = (await world.ledger())["creates"]
    assert (create["error_code"], create["message_sid"]) == (code, None)


async def test_a_text_of_1600_characters_is_taken(client: Client) -> None:
    created = await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="a" * 1600)

    assert created.num_segments == "11"


async def test_another_accounts_sender_cannot_be_used(world: World, client: Client) -> None:
    await world.put_sender("+15005550006", account_sid="AC" + "9" * 32)

    refusal = await refused(client, to=ANA_SMS, from_="+15005550006", body="Oi")

    assert refusal.code == 21606


async def test_a_message_that_does_not_exist_is_not_found(client: Client) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await blocking(client.messages("SM" + "0" * 32).fetch)

    assert (refusal.value.code, refusal.value.status) == (20404, 404)


async def test_another_accounts_message_is_not_found(world: World, client: Client) -> None:
    stranger = {"account_sid": "AC" + "9" * 32, "auth_token": "another"}
    await world.put_sender("+15005550006", **stranger)
    other = Client(*stranger.values(), http_client=HttpClientToSimulator(world.url))
    sent = await blocking(other.messages.create, to=ANA_SMS, from_="+15005550006", body="Oi")

    with pytest.raises(TwilioRestException) as refusal:
        await blocking(client.messages(str(sent.sid)).fetch)

    assert refusal.value.code == 20404
    assert await blocking(client.messages.list) == []


async def test_a_sender_outside_the_messaging_service_is_refused(
    world: World, client: Client
) -> None:
    await world.put_sender("+15005550006", service_sid=SERVICE)
    call = {"to": ANA_SMS, "messaging_service_sid": SERVICE, "body": "Oi"}

    refusal = await refused(client, from_=SMS, **call)
    created = await blocking(client.messages.create, from_="+15005550006", **call)

    assert refusal.code == 21606
    assert created.from_ == "+15005550006"
