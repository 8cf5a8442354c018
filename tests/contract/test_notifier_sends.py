"""Replies become messages at the provider: which, in what order, how fast, and why not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.errors import DependencyDown
from common.events import SendAccepted, SendFailed, Unanswered
from notifier.message_sender import NotSent, OutgoingMessage, Refused, SendResult
from tests.contract.notifier_world import (
    ANA,
    BIA,
    QUICK,
    Provider,
    World,
    answering,
    new_world,
)
from tests.servers.postgres import PostgresServer

SMS = "+551140028922"
LONG = "Pão de queijo, sempre quentinho. " * 121


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        yield world


async def test_a_reply_is_sent_once_and_its_acceptance_is_told(world: World) -> None:
    await world.permit()
    process, send = world.process(), world.send("Olá!")

    await process.accept(send)
    await process.work()

    part = await world.part()
    assert world.provider.texts == ["Olá!"]
    assert (part.state, part.provider_message_id) == ("accepted", world.provider.sid_of(part.id))
    (told,) = await world.told()
    assert isinstance(told, SendAccepted)
    assert (told.message, told.part, told.parts) == (send.payload.message, part.id, 1)
    assert await process.claim("sender") is None


async def test_a_message_that_comes_again_is_sent_once(world: World) -> None:
    await world.permit()
    process, send = world.process(), world.send()

    for _ in range(3):
        await process.accept(send)
        await process.work()

    assert len(world.provider.asked) == 1


async def test_the_callback_url_carries_the_part_and_the_correlation(world: World) -> None:
    await world.permit()
    process, send = world.process(), world.send()

    await process.accept(send)
    await process.work()

    (asked,) = world.provider.asked
    assert asked.correlation == send.correlation
    assert asked.part == (await world.part()).id


async def test_a_long_answer_is_sent_in_parts_and_in_order(world: World) -> None:
    await world.permit()
    process = world.process()

    await process.accept(world.send(LONG))
    await process.work()

    assert len(world.provider.texts) == 3
    assert " ".join(world.provider.texts).split() == LONG.split()


async def test_messages_to_one_recipient_go_one_at_a_time_and_to_several_at_once(
    world: World,
) -> None:
    ledger = Watched(world.provider)
    for contact in (ANA, BIA):
        await world.permit(contact)
        for number in range(3):
            await world.process().accept(world.send(f"{number}", to=contact))
    world.provider.plans.extend([ledger.take_slowly] * 6)

    await world.process().work()

    assert ledger.most_at_once == {ANA: 1, BIA: 1}
    assert ledger.most_recipients == 2
    for contact in (ANA, BIA):
        sent = [message.text for message in world.provider.asked if message.recipient == contact]
        assert sent == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("permission", "more", "reason"),
    [
        ({"opted_out_at": datetime.now(UTC)}, {}, Unanswered.OPTED_OUT),
        ({"wrote": timedelta(hours=25)}, {}, Unanswered.WINDOW),
        ({}, {"not_after": datetime.now(UTC) - timedelta(seconds=1)}, Unanswered.AGE),
    ],
)
async def test_a_reply_that_may_not_go_fails_with_its_reason(
    world: World,
    permission: dict[str, Any],
    more: dict[str, Any],
    reason: Unanswered,
) -> None:
    await world.permit(**permission)
    process = world.process()

    await process.accept(world.send(**more))
    await process.work()

    (told,) = await world.told()
    assert isinstance(told, SendFailed)
    assert told.reason is reason
    assert world.provider.asked == []
    assert (await world.part()).state == "failed"


async def test_a_contact_who_never_wrote_can_be_sent_an_sms_but_no_whatsapp(world: World) -> None:
    process = world.process()

    await process.accept(world.send())
    await process.accept(world.send("Oi", channel="sms", sender=SMS, to="+5511999990001"))
    await process.work()

    assert world.provider.texts == ["Oi"]
    assert sorted(await world.states()) == ["accepted", "failed"]


async def test_a_reply_of_an_account_that_is_gone_fails(world: World) -> None:
    await world.permit()
    process = world.process()

    await process.accept(world.send(account=world.account.tenant))
    await process.work()

    (told,) = await world.told()
    assert isinstance(told, SendFailed)
    assert told.reason is Unanswered.REFUSED


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (Refused(400, 21211), Unanswered.REFUSED),
        (Refused(400, 21610), Unanswered.OPTED_OUT),
        (Refused(400, 63016), Unanswered.WINDOW),
        (Refused(403, None), Unanswered.REFUSED),
    ],
)
async def test_a_definite_refusal_is_final_and_keeps_its_code(
    world: World, refused: Refused, reason: Unanswered
) -> None:
    await world.permit()
    process = world.process()
    world.provider.plans.append(answering(refused))

    await process.accept(world.send())
    await process.work()
    await world.let_time_pass()
    await process.work()

    (told,) = await world.told()
    assert isinstance(told, SendFailed)
    assert (told.reason, told.error_code) == (reason, refused.code)
    assert len(world.provider.asked) == 1


async def test_after_429_the_whole_sender_waits_as_long_as_it_was_told(world: World) -> None:
    for contact in (ANA, BIA):
        await world.permit(contact)
    process = world.process()
    world.provider.plans.append(answering(Refused(429, None, timedelta(seconds=120))))
    before = datetime.now(UTC)

    await process.accept(world.send(to=ANA))
    await process.work()
    await process.accept(world.send(to=BIA))
    await process.work()

    ana, _ = await world.parts()
    waits = ana.not_before - before
    assert timedelta(seconds=119) < waits < timedelta(seconds=125)
    assert [message.recipient for message in world.provider.asked] == [ANA]
    await world.let_time_pass()
    await process.work()
    assert await world.states() == ["accepted", "accepted"]


@pytest.mark.parametrize(
    "result", [NotSent("connection refused"), Refused(400, 30001), Refused(429, 20429)]
)
async def test_what_was_surely_not_taken_is_tried_again_later(
    world: World, result: SendResult
) -> None:
    await world.permit()
    process = world.process()
    world.provider.plans.append(answering(result))

    await process.accept(world.send())
    await process.work()
    await world.let_time_pass()
    await process.work()

    assert len(world.provider.asked) == 2
    assert await world.states() == ["accepted"]
    assert [type(told) for told in await world.told()] == [SendAccepted]


async def test_a_later_reply_never_passes_one_that_waits(world: World) -> None:
    await world.permit()
    process = world.process(QUICK.model_copy(update={"retry_first_seconds": 600.0}))
    world.provider.plans.append(answering(NotSent("connection refused")))

    await process.accept(world.send("first"))
    await process.work()
    await process.accept(world.send("second"))
    await process.work()
    await world.let_time_pass()
    await process.work()

    assert world.provider.texts == ["first", "second"]


async def test_a_sender_keeps_its_rate_also_from_one_holder_to_the_next(world: World) -> None:
    slow = QUICK.model_copy(update={"whatsapp_per_second": 0.01})
    for contact in (ANA, BIA):
        await world.permit(contact)
        await world.process().accept(world.send(to=contact))

    for _ in range(3):
        await world.process(slow).work()
        await world.let_time_pass()

    assert len(world.provider.asked) == 1


async def test_refused_credentials_are_read_afresh_and_the_part_goes_with_new_ones(
    world: World,
) -> None:
    await world.permit()
    process = world.process()
    world.provider.plans.append(world.rotate_and_refuse)

    await process.accept(world.send())
    await process.work()
    await world.let_time_pass()
    await process.work()

    assert await world.states() == ["accepted"]


class Watched:
    """Counts calls that are in progress."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._in_progress: list[str] = []
        self.most_at_once: dict[str, int] = {}
        self.most_recipients = 0

    async def take_slowly(self, message: OutgoingMessage) -> SendResult:
        at, contact = self._in_progress, message.recipient
        at.append(contact)
        self.most_at_once[contact] = max(self.most_at_once.get(contact, 0), at.count(contact))
        self.most_recipients = max(self.most_recipients, len(set(at)))
        for _ in range(20):  # long enough for whoever would start another call
            await asyncio.sleep(0.001)
        at.remove(contact)
        return await self._provider.take(message)


async def test_accounts_that_cannot_be_read_leave_no_claimed_part_uncalled(world: World) -> None:
    for contact in (ANA, BIA):
        await world.permit(contact)
    process = world.process()

    async def another_arrives(message: OutgoingMessage) -> SendResult:
        for to, account in ((ANA, world.account.id), (BIA, world.account.tenant)):
            await process.accept(world.send(to=to, account=account))
        process.registry.away = True
        return await world.provider.take(message)

    world.provider.plans.append(another_arrives)
    await process.accept(world.send())
    with pytest.raises(DependencyDown):
        await process.work()

    assert await world.states() == ["accepted", "accepted", "waiting"]
