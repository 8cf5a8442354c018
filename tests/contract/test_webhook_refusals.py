"""Twilio's webhooks over ASGI: what is refused, how, and that nothing of it reaches the broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest

from common.ids import new_id
from common.testing.channel_accounts import new_channel_account, store_channel_account
from tests.contract.gateway_door import CIPHER, FORM_TYPE, Chunk, Door, Reply, open_door

FORBIDDEN = "The signature does not fit this account.\n"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, body_seconds=0.2) as door:
        yield door
        assert door.broker.records == []


async def post(door: Door, *body: Chunk, path: str | None = None, **headers: str) -> Reply:
    known = {"content-type": FORM_TYPE, "x-twilio-signature": "x"}
    sent = known | {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.call(path or door.path("messages"), headers=sent, body=body or (b"",))


async def test_a_secret_that_is_not_the_accounts_is_refused(door: Door) -> None:
    other = new_channel_account(auth_tokens=("another tenant's token",))
    await store_channel_account(door.database, other, CIPHER)

    reply = await door.twilio_posts("messages", door.message(), token="another tenant's token")

    assert (reply.status, reply.body) == (403, FORBIDDEN)


async def test_a_changed_form_is_refused(door: Door) -> None:
    reply = await post(door, urlencode(door.message()).encode())

    assert (reply.status, reply.body) == (403, FORBIDDEN)


async def test_a_form_without_signature_is_refused(door: Door) -> None:
    body = urlencode(door.message()).encode()

    reply = await door.call(door.path("messages"), headers={"content-type": FORM_TYPE}, body=[body])

    assert (reply.status, reply.body) == (403, FORBIDDEN)


@pytest.mark.parametrize("signature", ["", "ção", "=" * 9_000])
async def test_a_signature_that_is_none_is_refused(door: Door, signature: str) -> None:
    reply = await post(door, b"Body=x", x_twilio_signature=signature)

    assert reply.status == 403


async def test_an_unknown_account_is_refused_like_a_wrong_signature(door: Door) -> None:
    path = f"/webhooks/twilio/{new_id()}/messages"

    reply = await door.twilio_posts("messages", door.message(), path=path)

    assert (reply.status, reply.body) == (403, FORBIDDEN)


async def test_the_form_of_another_account_is_refused(door: Door) -> None:
    reply = await door.twilio_posts("messages", door.message(AccountSid="AC" + "f" * 32))

    assert (reply.status, reply.body) == (403, FORBIDDEN)


async def test_a_signature_for_one_webhook_does_not_open_the_other(door: Door) -> None:
    form = door.message() | door.status()
    reply = await door.twilio_posts("messages", form, query="part=1", path=door.path("status"))
    assert reply.status == 200
    door.broker.records.clear()

    reply = await door.twilio_posts("messages", form, query="part=2", token="x")

    assert reply.status == 403


async def test_forged_forms_do_not_reach_the_database_more_than_once_a_while(door: Door) -> None:
    for _ in range(20):
        assert (await post(door, b"Body=x")).status == 403

    assert door.database.reads == 2  # the door, and the row behind it


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To", "AccountSid"])
async def test_a_signed_message_without_what_names_it_is_malformed(
    door: Door, missing: str
) -> None:
    reply = await door.twilio_posts("messages", door.message(**{missing: ""}))

    assert (reply.status, reply.body) == (400, "The form is malformed.\n")


async def test_a_signed_status_without_status_is_malformed(door: Door) -> None:
    assert (await door.twilio_posts("status", door.status(MessageStatus=""))).status == 400


@pytest.mark.parametrize("body", [b"Body=%zz", b"Body=100%", b"&".join([b"a"] * 2_000)])
async def test_a_form_that_is_none_is_malformed_whoever_signed(door: Door, body: bytes) -> None:
    assert (await post(door, body)).status == 400


async def test_two_announced_megabytes_are_refused_unread(door: Door) -> None:
    reply = await post(door, b"x" * 2_000_000, content_length="2000000")

    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert door.chunks_read == 0


async def test_two_unannounced_megabytes_are_read_no_further_than_the_limit(door: Door) -> None:
    reply = await post(door, *([b"x" * 10_000] * 200))

    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert door.chunks_read == 7


async def test_a_body_that_does_not_come_is_given_up(door: Door) -> None:
    async with asyncio.timeout(3):
        reply = await post(door, b"Body=", ...)

    assert (reply.status, reply.headers["connection"]) == (408, "close")


async def test_a_body_that_is_cut_off_is_not_taken(door: Door) -> None:
    assert (await post(door, b"Body=", None)).status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_refused(door: Door, method: str) -> None:
    reply = await door.call(door.path("messages"), method=method)

    assert (reply.status, reply.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "", "text/plain"]
)
async def test_another_content_type_is_refused(door: Door, content_type: str) -> None:
    assert (await post(door, b"{}", content_type=content_type)).status == 415


async def test_headers_beyond_the_limit_are_refused(door: Door) -> None:
    assert (await post(door, b"", x_padding="x" * 20_000)).status == 431


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/",
        "/webhooks/twilio",
        "/webhooks/twilio/",
        "/webhooks/twilio/{}",
        "/webhooks/twilio/{}/",
        "/webhooks/twilio/{}/messages/",
        "/webhooks/twilio/{}/voice",
        "/webhooks/twilio/{}x/messages",
        "/webhooks/twilio//messages",
        "/webhooks/twilio/ção/messages",
        "/webhooks/other/{}/messages",
        "/webhooks/twilio/../{}/messages",
    ],
)
async def test_another_path_is_not_found(door: Door, path: str) -> None:
    reply = await post(door, b"", path=path.format(door.account.id))

    assert (reply.status, reply.body) == (404, "There is no such webhook.\n")


async def test_every_refusal_is_one_short_sentence(door: Door) -> None:
    replies: Sequence[Reply] = [
        await post(door, b"Body=x"),
        await post(door, b"Body=%"),
        await post(door, b"x" * 70_000),
        await post(door, b"", content_type="text/plain"),
        await post(door, b"", path="/webhooks/x"),
        await door.call(door.path("status"), method="GET"),
    ]

    for reply in replies:
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.body.endswith(".\n")
        assert len(reply.body) < 60
