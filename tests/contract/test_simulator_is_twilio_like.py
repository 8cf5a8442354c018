"""The simulator, seen by Twilio's own library: what it cannot tell from Twilio."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from common.testing import eventually
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
    signed_in,
)

SERVICE = "MG" + "e" * 32
P = ParamSpec("P")
T = TypeVar("T")


class HttpClientToSimulator(TwilioHttpClient):
    """Twilio's client, but for the host it calls."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=5)
        self._url = url

    def request(self, method: str, uri: str, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - whatever it sends
        ours = uri.replace("https://api.twilio.com", self._url)
        return super().request(method, ours, *args, **options)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_business() as business, open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        yield world


@pytest.fixture
def client(world: World) -> Client:
    return Client(ACCOUNT, TOKEN, http_client=HttpClientToSimulator(world.url))


async def blocking(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    return await asyncio.to_thread(partial(call, *args, **options))


async def refused(client: Client, **call: str) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as refusal:
        await blocking(client.messages.create, **call)
    return refusal.value


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
    client = Client(API_KEY, API_SECRET, ACCOUNT, http_client=HttpClientToSimulator(world.url))

    created = await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="Oi")

    assert created.account_sid == ACCOUNT


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


async def test_the_list_has_the_newest_first_and_goes_on_page_by_page(
    world: World, client: Client
) -> None:
    for number in range(5):
        await world.send(f"parte {number}", ANA_SMS)

    listed = await blocking(client.messages.list, page_size=2)
    first = await blocking(client.messages.page, page_size=2)

    assert [one.body for one in listed] == [f"parte {number}" for number in (4, 3, 2, 1, 0)]
    assert [one.body for one in list(first)] == ["parte 4", "parte 3"]
    assert "Page=1&PageToken=PASM" in str(first.next_page_url)


async def test_the_list_is_filtered_by_both_addresses(world: World, client: Client) -> None:
    await world.write("de Ana")
    await world.send("para Ana")
    await world.send("para Bruno", "whatsapp:+5511999990002")

    to_ana = await blocking(client.messages.list, to=ANA, from_=WHATSAPP)
    from_ana = await blocking(client.messages.list, to=WHATSAPP, from_=ANA)

    assert [one.body for one in to_ana] == ["para Ana"]
    assert [(one.body, one.direction, one.status) for one in from_ana] == [
        ("de Ana", "inbound", "received")
    ]


async def test_the_list_is_filtered_by_time(world: World, client: Client) -> None:
    await world.send("agora", ANA_SMS)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    async def bodies(after: datetime, before: datetime) -> list[str | None]:
        listed = await blocking(
            client.messages.list, date_sent_after=after, date_sent_before=before
        )
        return [one.body for one in listed]

    assert await bodies(now - hour, now + hour) == ["agora"]
    assert await bodies(now + hour, now + 2 * hour) == []
    assert await bodies(now - 2 * hour, now - hour) == []


async def test_a_day_is_a_filter_too(world: World) -> None:
    await world.send("hoje", ANA_SMS)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    today = datetime.now(UTC).date()

    async def listed(day: object) -> list[str]:
        query = {"DateSent": str(day)}
        async with world.http.get(path, params=query, headers=signed_in()) as answer:
            return [one["body"] for one in (await answer.json())["messages"]]

    assert await listed(today - timedelta(days=1)) == []
    assert "hoje" in await listed(today) + await listed(today + timedelta(days=1))


async def test_a_date_that_is_none_is_refused(world: World) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?DateSent=ontem"

    async with world.http.get(path, headers=signed_in()) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 20001)


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


async def test_too_many_requests_send_nothing_and_say_when_to_come_back(world: World) -> None:
    await world.put_faults(create={"429": {"next": 1}}, retry_after_seconds=7)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"To": ANA_SMS, "From": SMS, "Body": "Oi"}

    async with world.http.post(path, data=form, headers=signed_in()) as answer:
        body = await answer.json()
    second = await world.send("Oi", ANA_SMS)

    assert (answer.status, answer.headers["Retry-After"], body["code"]) == (429, "7", 20429)
    assert second[0] == 201
    assert [one["message_sid"] is None for one in (await world.ledger())["creates"]] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("when", "accepted"), [("before", False), ("after", True)])
async def test_an_error_500_leaves_open_whether_it_was_sent(
    world: World, client: Client, when: str, *, accepted: bool
) -> None:
    await world.put_faults(create={f"500_{when}_accept": {"next": 1}})

    refusal = await refused(client, to=ANA_SMS, from_=SMS, body="Oi")

    listed = await blocking(client.messages.list, to=ANA_SMS)
    assert (refusal.status, refusal.code) == (500, 20500)
    assert len(listed) == accepted


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("timeout_before_accept", False),
        ("timeout_after_accept", True),
        ("reset", False),
        ("reset_after_accept", True),
    ],
)
async def test_no_answer_leaves_open_whether_it_was_sent(
    world: World, client: Client, fault: str, *, accepted: bool
) -> None:
    await world.put_faults(create={fault: {"next": 1}}, hang_seconds=0.2)

    with pytest.raises(requests.ConnectionError):
        await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="Oi")

    listed = await blocking(client.messages.list, to=ANA_SMS)
    (create,) = (await world.ledger())["creates"]
    assert len(listed) == accepted
    assert (create["fault"], create["status_code"]) == (fault, None)


async def test_a_caller_who_gives_up_is_let_go(world: World) -> None:
    await world.put_faults(create={"timeout_before_accept": {"next": 1}}, hang_seconds=60)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await world.http.post(path, headers=signed_in())

    assert len((await world.ledger())["creates"]) == 1


async def test_a_message_can_show_up_in_the_list_late(world: World, client: Client) -> None:
    await world.put_faults(list={"delay": {"next": 1}}, list_delay_seconds=0.4)
    await world.send("atrasada", ANA_SMS)

    at_first = await blocking(client.messages.list, to=ANA_SMS)

    async def listed() -> bool:
        return len(await blocking(client.messages.list, to=ANA_SMS)) == 1

    assert at_first == []
    await eventually(listed)
