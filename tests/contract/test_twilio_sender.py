"""The adapter to Twilio against a server that answers as it is told."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import encode_basic_auth, web
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from common.ids import new_id
from common.observability.metrics import Metrics
from common.testing.channel_accounts import new_channel_account
from notifier.message_sender import (
    Accepted,
    ListedMessage,
    NotSent,
    OutgoingMessage,
    Refused,
    Unknown,
)
from notifier.settings import NotifierSection
from notifier.twilio_sender import TwilioSender, open_twilio
from tests.servers.processes import free_ports

SID = f"SM{7:032x}"
ACCOUNT = new_channel_account()
MESSAGE = OutgoingMessage(
    part=new_id(),
    correlation=new_id(),
    sender="whatsapp:+551140028922",
    recipient="whatsapp:+5511999990001",
    text="Pão & café: 100 % ☕",
)
MADE = {"sid": SID, "status": "queued"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Twilio:
    """Remembers what it was asked, and answers with `answer`."""

    answer: Handler
    port: int = 0
    paths: list[str] = field(default_factory=list[str])
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    credentials: list[str] = field(default_factory=list[str])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        form = await request.post()
        self.asked.append({name: str(value) for name, value in {**request.query, **form}.items()})
        self.credentials.append(request.headers["Authorization"])
        return await self.answer(request)


def answering(body: object, status: int = 201, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio(answering(MADE))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", twilio.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    twilio.port = runner.addresses[0][1]
    yield twilio
    await runner.cleanup()


def settings(port: int, **more: object) -> NotifierSection:
    values: dict[str, object] = {
        "status_callback_base": "https://recado.example.org/",
        "twilio_url": f"http://127.0.0.1:{port}",
        "call_seconds": 10.0,
        "connect_seconds": 5.0,
    }
    return NotifierSection.model_validate(values | more)


@pytest.fixture
async def sender(twilio: Twilio) -> AsyncIterator[TwilioSender]:
    async with open_twilio(settings(twilio.port), Metrics(CollectorRegistry())) as sender:
        yield sender


@pytest.fixture
async def impatient(twilio: Twilio) -> AsyncIterator[TwilioSender]:
    at = settings(twilio.port, call_seconds=0.5)
    async with open_twilio(at, Metrics(CollectorRegistry())) as sender:
        yield sender


async def test_a_message_is_asked_for_as_twilio_documents_it(
    twilio: Twilio, sender: TwilioSender
) -> None:
    result = await sender.create(ACCOUNT, MESSAGE)

    assert result == Accepted(SID, "queued")
    assert twilio.paths == [f"/2010-04-01/Accounts/{ACCOUNT.account_sid}/Messages.json"]
    callback = f"https://recado.example.org/webhooks/twilio/{ACCOUNT.id}/status"
    names = f"part={MESSAGE.part}&correlation={MESSAGE.correlation}"
    assert twilio.asked == [
        {
            "To": MESSAGE.recipient,
            "From": MESSAGE.sender,
            "Body": MESSAGE.text,
            "StatusCallback": f"{callback}?{names}#rc=5&rp=5xx,ct,rt&ct=2000&rt=4000",
        }
    ]


async def test_each_account_uses_its_own_credentials(twilio: Twilio, sender: TwilioSender) -> None:
    keyed = replace(ACCOUNT, api_key="SK1", api_secret=SecretStr("its secret"))
    rotated = replace(ACCOUNT, auth_tokens=(SecretStr("b" * 32), *ACCOUNT.auth_tokens))

    for account in (ACCOUNT, keyed, rotated, ACCOUNT):
        await sender.create(account, MESSAGE)

    own = encode_basic_auth(ACCOUNT.account_sid, "a" * 32)
    assert twilio.credentials == [
        own,
        encode_basic_auth("SK1", "its secret"),
        encode_basic_auth(ACCOUNT.account_sid, "b" * 32),
        own,
    ]


async def test_a_messaging_service_is_named_as_one(twilio: Twilio, sender: TwilioSender) -> None:
    await sender.create(ACCOUNT, replace(MESSAGE, sender=f"MG{1:032x}"))

    (asked,) = twilio.asked
    assert asked["MessagingServiceSid"] == f"MG{1:032x}"
    assert "From" not in asked


async def test_a_stand_in_may_live_under_a_path(twilio: Twilio) -> None:
    at = settings(twilio.port, twilio_url=f"http://127.0.0.1:{twilio.port}/twilio")

    async with open_twilio(at, Metrics(CollectorRegistry())) as sender:
        await sender.create(ACCOUNT, MESSAGE)

    assert twilio.paths == [f"/twilio/2010-04-01/Accounts/{ACCOUNT.account_sid}/Messages.json"]


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (400, {"code": 21211, "status": 400}, Refused(400, 21211)),
        (401, {"code": 20003, "status": 401}, Refused(401, 20003)),
        (403, "<h1>Forbidden</h1>", Refused(403, None)),
        (429, {"code": 20429}, Refused(429, 20429, timedelta(seconds=7))),
        (429, "slow down", Refused(429, None, timedelta(seconds=7))),
    ],
)
async def test_a_definite_no_keeps_its_code_and_when_to_come_back(
    twilio: Twilio, sender: TwilioSender, status: int, body: object, result: Refused
) -> None:
    headers = {"Retry-After": "7"} if result.retry_after else {}
    twilio.answer = answering(body, status, **headers)

    assert await sender.create(ACCOUNT, MESSAGE) == result
    assert len(twilio.asked) == 1


async def test_when_to_come_back_may_be_a_date(twilio: Twilio, sender: TwilioSender) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    twilio.answer = answering("", 429, **{"Retry-After": later})

    result = await sender.create(ACCOUNT, MESSAGE)

    assert isinstance(result, Refused)
    assert result.retry_after is not None
    assert timedelta(seconds=90) < result.retry_after <= timedelta(seconds=100)


@pytest.mark.parametrize("header", ["999999999999999", "86400", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_nobody_is_waited_for_longer_than_an_hour(
    twilio: Twilio, sender: TwilioSender, header: str
) -> None:
    twilio.answer = answering("", 429, **{"Retry-After": header})

    assert await sender.create(ACCOUNT, MESSAGE) == Refused(429, None, timedelta(hours=1))


@pytest.mark.parametrize("header", ["soon", "-5", "Mon, 23 Nov 2026 12:00:00 -0000", "1e400"])
async def test_when_to_come_back_may_be_nonsense(
    twilio: Twilio, sender: TwilioSender, header: str
) -> None:
    twilio.answer = answering("", 429, **{"Retry-After": header})

    assert await sender.create(ACCOUNT, MESSAGE) == Refused(429, None, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": 20500}),
        (502, "<h1>Bad gateway</h1>"),
        (503, {"code": 20503}),
        (408, ""),
        (302, ""),
        (201, "<html>"),
        (201, "[]"),
        (201, {"status": "queued"}),
    ],
)
async def test_whatever_is_no_clear_answer_leaves_the_outcome_unknown(
    twilio: Twilio, sender: TwilioSender, status: int, body: object
) -> None:
    twilio.answer = answering(body, status, Location="/elsewhere")

    assert isinstance(await sender.create(ACCOUNT, MESSAGE), Unknown)
    assert len(twilio.asked) == 1


async def test_a_line_that_is_cut_leaves_the_outcome_unknown(
    twilio: Twilio, sender: TwilioSender
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    twilio.answer = cut

    assert isinstance(await sender.create(ACCOUNT, MESSAGE), Unknown)
    assert len(twilio.asked) == 1


async def test_a_server_that_hangs_is_given_up_in_time(
    twilio: Twilio, impatient: TwilioSender
) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("never")

    twilio.answer = hang
    began = time.monotonic()

    result = await impatient.create(ACCOUNT, MESSAGE)

    assert isinstance(result, Unknown)
    assert time.monotonic() - began < 8


async def test_a_server_that_drips_is_given_up_in_time(
    twilio: Twilio, impatient: TwilioSender
) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    twilio.answer = drip
    began = time.monotonic()

    result = await impatient.create(ACCOUNT, MESSAGE)

    assert isinstance(result, Unknown)
    assert time.monotonic() - began < 8


async def test_a_server_that_cannot_be_reached_was_surely_not_asked() -> None:
    (port,) = free_ports(1)

    async with open_twilio(settings(port), Metrics(CollectorRegistry())) as sender:
        result = await sender.create(ACCOUNT, MESSAGE)

    assert isinstance(result, NotSent)


async def test_the_list_is_asked_for_both_addresses_and_read(
    twilio: Twilio, sender: TwilioSender
) -> None:
    twilio.answer = answering(
        {
            "messages": [
                {
                    "sid": SID,
                    "body": "Olá",
                    "status": "undelivered",
                    "date_created": "Mon, 23 Nov 2026 12:00:01 +0000",
                    "date_sent": None,
                    "error_code": 63016,
                }
            ],
            "next_page_uri": None,
        },
        200,
    )

    listed = await sender.list_messages(ACCOUNT, MESSAGE.sender, MESSAGE.recipient)

    created_at = datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)
    assert listed == (ListedMessage(SID, "Olá", "undelivered", created_at, 63016),)
    (asked,) = twilio.asked
    assert asked == {"To": MESSAGE.recipient, "From": MESSAGE.sender, "PageSize": "50"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(401, {"code": 20003}, Refused), (500, "", Unknown), (200, "no list", Unknown)],
)
async def test_a_list_that_cannot_be_had_is_no_empty_list(
    twilio: Twilio, sender: TwilioSender, status: int, body: object, kind: type[object]
) -> None:
    twilio.answer = answering(body, status)

    listed = await sender.list_messages(ACCOUNT, MESSAGE.sender, MESSAGE.recipient)

    assert isinstance(listed, kind)


async def test_neither_texts_nor_numbers_nor_secrets_are_logged(
    twilio: Twilio, sender: TwilioSender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    await sender.create(ACCOUNT, MESSAGE)
    twilio.answer = answering({"code": 21211, "message": MESSAGE.recipient}, 400)
    refused = await sender.create(ACCOUNT, MESSAGE)

    for private in ("café", "5511999990001", "551140028922", "a" * 32):
        assert private not in caplog.text
        assert private not in repr(refused)
