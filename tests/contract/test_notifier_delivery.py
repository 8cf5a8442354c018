"""What the provider reports of a message, in whatever order, is taken over and told once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.events import SendAccepted, SendDelivered, SendFailed, Unanswered
from common.ids import new_id
from notifier.message_sender import Accepted, OutgoingMessage, SendResult
from tests.contract.notifier_world import Process, World, new_world
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        await world.permit()
        yield world


async def sent(world: World) -> tuple[Process, str]:
    """One reply that the provider has, under this id."""
    process = world.process()
    await process.accept(world.send())
    await process.work()
    (sid,) = world.provider.taken
    return process, sid


async def delivered_statuses(world: World) -> list[str]:
    return [told.status for told in await world.told() if isinstance(told, SendDelivered)]


async def test_a_message_is_followed_to_the_end(world: World) -> None:
    process, sid = await sent(world)

    for status in ("queued", "sent", "delivered", "read"):
        await process.track(world.report(status, sid=sid))

    assert await world.states() == ["read"]
    assert await delivered_statuses(world) == ["sent", "delivered", "read"]


async def test_reports_in_any_order_end_at_the_highest(world: World) -> None:
    process, sid = await sent(world)

    for status in ("read", "delivered", "sent"):
        await process.track(world.report(status, sid=sid))

    assert await world.states() == ["read"]
    assert await delivered_statuses(world) == ["read"]
    assert set((await world.part()).statuses) == {"queued", "sent", "delivered", "read"}


async def test_the_same_report_again_is_told_once(world: World) -> None:
    process, sid = await sent(world)

    for _ in range(3):
        await process.track(world.report("delivered", sid=sid))

    assert await delivered_statuses(world) == ["delivered"]


async def test_a_failure_after_delivery_is_flagged_and_overwrites_nothing(world: World) -> None:
    process, sid = await sent(world)

    await process.track(world.report("delivered", sid=sid))
    await process.track(world.report("failed", sid=sid, error_code=30008))

    part = await world.part()
    assert (part.state, part.conflict) == ("delivered", True)
    assert not any(isinstance(told, SendFailed) for told in await world.told())


async def test_a_message_that_was_not_delivered_fails_with_its_code(world: World) -> None:
    process, sid = await sent(world)

    for status in ("undelivered", "failed"):
        await process.track(world.report(status, sid=sid, error_code=63016))

    part = await world.part()
    assert (part.state, part.reason, part.error_code) == ("failed", Unanswered.WINDOW, 63016)
    failed = [told for told in await world.told() if isinstance(told, SendFailed)]
    assert [(told.reason, told.error_code) for told in failed] == [(Unanswered.WINDOW, 63016)]


async def test_a_callback_that_comes_before_the_answer_binds_the_message(world: World) -> None:
    process = world.process()

    async def call_back_first(message: OutgoingMessage) -> SendResult:
        answer = await world.provider.take(message)
        assert isinstance(answer, Accepted)
        sid = answer.provider_message_id
        await process.track(world.report("sent", sid=sid, part=message.part))
        return answer

    world.provider.plans.append(call_back_first)
    await process.accept(world.send())
    await process.work()

    part = await world.part()
    assert (part.state, set(part.statuses)) == ("sent", {"queued", "sent"})
    assert [type(told) for told in await world.told()] == [SendAccepted, SendDelivered]


async def test_a_report_of_an_unknown_message_is_let_go(world: World) -> None:
    process, _ = await sent(world)
    before = await world.told()

    await process.track(world.report("sent", sid="SM00", part=new_id()))
    await process.track(world.report("sent", sid="SM00"))

    assert await world.told() == before


async def test_a_report_is_believed_only_of_its_own_account(world: World) -> None:
    process, sid = await sent(world)
    part = (await world.part()).id

    await process.track(world.report("read", sid=sid, part=part, account=new_id()))

    assert await world.states() == ["accepted"]


async def test_a_second_message_of_one_part_does_not_replace_the_first(world: World) -> None:
    process, sid = await sent(world)
    part = (await world.part()).id

    await process.track(world.report("read", sid="SM00", part=part))

    assert (await world.part()).provider_message_id == sid
    assert await world.states() == ["accepted"]
