"""Twilio's webhooks over ASGI: what is taken, and when it is said to be."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import delete

from common.accounts import CHANNEL_ACCOUNTS
from common.database import Transaction
from common.events import header
from common.ids import derived_id, new_id
from common.testing import eventually
from common.testing.channel_accounts import new_channel_account, store_channel_account
from tests.contract.gateway_door import CIPHER, PUBLIC_URL, Door, Reply, open_door

TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, publish_seconds=1.0, account_read_seconds=1.0) as door:
        yield door


async def test_a_signed_message_is_in_the_broker_once_twilio_has_its_answer(door: Door) -> None:
    reply = await door.twilio_posts("messages", door.message(MessageSid="SM1"))

    assert reply == Reply(200, {"content-type": "text/xml", "content-length": "49"}, TWIML)
    (event,), (record,) = door.broker.events, door.broker.records
    assert record.topic == "messages.received"
    assert record.key == f"{door.account.id}|whatsapp:+551150281000|whatsapp:+5511987654321"
    assert event.tenant == door.account.tenant
    assert event.source == "gateway"
    assert event.id == derived_id("messages.received", str(door.account.id), "SM1")
    assert event.payload.account == door.account.id
    assert event.payload.text == "Vocês abrem domingo? It's @ 10%"
    assert event.payload.attributes == {"SmsStatus": "received", "NumMedia": "0", "FromCity": ""}


async def test_no_answer_is_given_before_the_broker_acknowledged(tmp_path: Path) -> None:
    async with open_door(tmp_path, publish_seconds=30) as door:
        door.broker.hung.clear()
        posted = asyncio.create_task(door.twilio_posts("messages", door.message()))
        await eventually(lambda: door.broker.waiting == 1)
        assert not posted.done()

        door.broker.hung.set()

        assert (await posted).status == 200


async def test_the_same_message_delivered_twice_at_once_is_one_event(door: Door) -> None:
    form = door.message()

    replies = await asyncio.gather(*(door.twilio_posts("messages", form) for _ in range(2)))

    first, second = door.broker.events
    assert [reply.status for reply in replies] == [200, 200]
    assert first.id == second.id
    assert first.correlation != second.correlation


async def test_two_messages_with_the_same_text_are_two_events(door: Door) -> None:
    for sid in ("SM1", "SM2"):
        await door.twilio_posts("messages", door.message(MessageSid=sid))

    first, second = door.broker.events
    assert first.id != second.id


async def test_a_status_comes_with_our_ids_from_its_verified_url(door: Door) -> None:
    part, correlation = new_id(), new_id()
    query = f"part={part}&correlation={correlation}"

    form = door.status(MessageStatus="undelivered", ErrorCode="63016")
    reply = await door.twilio_posts("status", form, query=query)

    assert (reply.status, reply.body) == (200, TWIML)
    (event,), (record,) = door.broker.events, door.broker.records
    assert (record.topic, record.key) == ("deliveries.reported", form["MessageSid"])
    assert event.correlation == correlation
    assert header(record, "ce_correlationid") == str(correlation)
    assert event.payload.part == part
    assert (event.payload.status, event.payload.error_code) == ("undelivered", 63016)


@pytest.mark.parametrize("query", ["", "part=1&correlation=x", "x=%20&y='@", "part=%zz"])
async def test_a_status_without_our_ids_is_taken_all_the_same(door: Door, query: str) -> None:
    reply = await door.twilio_posts("status", door.status(), query=query)

    (event,) = door.broker.events
    assert reply.status == 200
    assert event.payload.part is None
    assert event.correlation is not None


async def test_each_status_and_error_of_a_message_is_an_event_of_its_own(door: Door) -> None:
    for changes in ({}, {}, {"MessageStatus": "read"}, {"ErrorCode": "1"}):
        await door.twilio_posts("status", door.status(**changes))

    first, again, read, failed = [event.id for event in door.broker.events]
    assert first == again
    assert len({first, read, failed}) == 3


async def test_the_same_message_of_two_accounts_is_two_events(door: Door) -> None:
    other = new_channel_account()
    await store_channel_account(door.database, other, CIPHER)

    await door.twilio_posts("messages", door.message())
    await replace(door, account=other).twilio_posts(
        "messages", door.message(AccountSid=other.account_sid)
    )

    first, second = door.broker.events
    assert first.id != second.id
    assert (first.tenant, second.tenant) == (door.account.tenant, other.tenant)


async def test_any_of_several_public_addresses_may_have_been_called(tmp_path: Path) -> None:
    urls = f"https://new.example.com, {PUBLIC_URL}"
    async with open_door(tmp_path, public_url=urls) as door:
        assert (await door.twilio_posts("messages", door.message())).status == 200


async def rotate(door: Door, *tokens: str) -> None:
    def remove(tx: Transaction) -> None:
        tx.execute(delete(CHANNEL_ACCOUNTS).where(CHANNEL_ACCOUNTS.c.id == door.account.id))

    await door.database.transaction(remove, tenant=door.account.tenant)
    rotated = replace(door.account, auth_tokens=tuple(map(SecretStr, tokens)))
    await store_channel_account(door.database, rotated, CIPHER)


async def posted_with(door: Door, token: str, *, is_answered: int) -> bool:
    return (await door.twilio_posts("messages", door.message(), token=token)).status == is_answered


async def test_a_new_secret_is_taken_without_waiting_for_the_cache(door: Door) -> None:
    old = door.account.auth_tokens[0].get_secret_value()
    assert await posted_with(door, old, is_answered=200)
    assert await posted_with(door, "new", is_answered=403)

    await rotate(door, "new", old)

    await eventually(lambda: posted_with(door, "new", is_answered=200))
    assert await posted_with(door, old, is_answered=200)


async def test_an_old_secret_is_refused_once_the_cache_is_over(tmp_path: Path) -> None:
    async with open_door(tmp_path, account_cache_seconds=0.2, account_read_seconds=0.2) as door:
        old = door.account.auth_tokens[0].get_secret_value()
        assert await posted_with(door, old, is_answered=200)

        await rotate(door, "new")

        await eventually(lambda: posted_with(door, old, is_answered=403))
        assert await posted_with(door, "new", is_answered=200)


async def test_a_broker_that_hangs_is_503_inside_the_deadline(door: Door) -> None:
    door.broker.hung.clear()
    started = time.monotonic()

    reply = await door.twilio_posts("messages", door.message())

    assert time.monotonic() - started < 10, "so long a broker is waited for without a deadline"
    assert (reply.status, reply.body) == (503, "A dependency is away; send it again.\n")
    assert door.broker.records == []


async def test_when_the_broker_is_back_the_retry_is_taken(door: Door) -> None:
    door.broker.away = True
    assert (await door.twilio_posts("messages", door.message())).status == 503

    door.broker.away = False

    assert (await door.twilio_posts("messages", door.message())).status == 200
    assert len(door.broker.records) == 1


async def test_a_database_that_is_away_with_nothing_cached_is_503(door: Door) -> None:
    door.database.away = True

    reply = await door.twilio_posts("messages", door.message())

    assert (reply.status, reply.body) == (503, "A dependency is away; send it again.\n")
    assert door.broker.records == []


@pytest.mark.parametrize("trouble", ["away", "hung"])
async def test_a_known_account_is_served_while_the_database_is_away(
    tmp_path: Path, trouble: str
) -> None:
    async with open_door(tmp_path, account_cache_seconds=0.01, account_read_seconds=0.3) as door:
        await door.twilio_posts("messages", door.message())
        setattr(door.database, trouble, True)

        for _ in range(3):
            assert (await door.twilio_posts("messages", door.message())).status == 200


async def test_a_failure_of_ours_is_500_and_shows_nothing_of_it(door: Door) -> None:
    door.broker.broken = True

    reply = await door.twilio_posts("messages", door.message())

    assert (reply.status, reply.body) == (500, "The webhook failed here; send it again.\n")


async def test_the_gateway_is_not_ready_while_the_broker_is_away(door: Door) -> None:
    assert await door.plumbing.health.missing() == {}

    door.broker.away = True

    assert await door.plumbing.health.missing() == {"broker": "broker is away: switched off"}


async def test_the_gateway_is_not_ready_while_it_knows_no_account_and_cannot_ask(
    door: Door,
) -> None:
    door.database.away = True
    assert await door.plumbing.health.missing() == {"accounts": "database is away: switched off"}

    door.database.away = False
    await door.twilio_posts("messages", door.message())
    door.database.away = True

    assert await door.plumbing.health.missing() == {}
