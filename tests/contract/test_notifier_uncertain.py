"""A send of unknown outcome: bound where it can be found, sent once more or left to a person."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.events import Payload, SendAccepted, SendFailed, Unanswered
from common.jobs import LeaseLostError
from notifier.message_sender import OutgoingMessage, Refused, SendResult, Unknown
from tests.contract.notifier_world import QUICK, Process, World, new_world
from tests.servers.postgres import PostgresServer

PATIENT = QUICK.model_copy(update={"reconcile_first_seconds": 600.0})


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        await world.permit()
        yield world


def is_under_review(told: Payload) -> bool:
    return isinstance(told, SendFailed) and told.reason is Unanswered.UNDER_REVIEW


async def test_a_message_whose_answer_was_lost_is_found_in_the_list(world: World) -> None:
    process = world.process()
    world.provider.plans.append(world.provider.take_and_fall_silent)

    await process.accept(world.send())
    await process.work()

    part = await world.part()
    assert (part.state, part.provider_message_id) == ("sent", world.provider.sid_of(part.id))
    assert len(world.provider.asked) == 1


async def test_a_callback_settles_it_before_any_look_and_later_replies_go_on(world: World) -> None:
    process = world.process(PATIENT)
    world.provider.plans.append(world.provider.take_and_fall_silent)
    world.provider.lists = False

    await process.accept(world.send("first"))
    await process.accept(world.send("second"))
    await process.work()
    waiting = await world.states()
    first = (await world.parts())[0].id
    report = world.report("sent", sid=world.provider.sid_of(first), part=first)
    await process.track(report)
    await process.work()

    assert waiting == ["uncertain", "waiting"]
    assert await world.states() == ["sent", "accepted"]
    assert world.provider.texts == ["first", "second"]


async def test_a_message_that_nobody_has_is_sent_once_more(world: World) -> None:
    process = world.process()
    world.provider.plans.append(world.provider.lose)

    await process.accept(world.send())
    await process.work()

    assert len(world.provider.asked) == 2
    assert len(world.provider.taken) == 1
    assert [type(told) for told in await world.told()] == [SendAccepted]


async def test_the_list_is_searched_twice_before_that(world: World) -> None:
    process = world.process(QUICK.model_copy(update={"reconcile_second_seconds": 600.0}))
    world.provider.plans.append(world.provider.lose)

    await process.accept(world.send())
    await process.work()
    first_look = await world.part()
    world.provider.plans.append(world.provider.take)
    await world.let_time_pass()
    await process.work()

    assert (first_look.state, first_look.looks) == ("uncertain", 1)
    assert len(world.provider.asked) == 2


async def test_lost_twice_it_is_left_to_a_person(world: World) -> None:
    process = world.process()
    world.provider.plans.extend([world.provider.lose] * 2)

    await process.accept(world.send("first"))
    await process.accept(world.send("second"))
    await process.work()

    first, second = await world.parts()
    assert (first.state, second.state) == ("needs_review", "accepted")
    assert [message.text for message in world.provider.asked] == ["first", "first", "second"]
    assert is_under_review((await world.told())[0])


async def test_two_that_could_be_it_are_left_to_a_person(world: World) -> None:
    process = world.process()

    async def take_twice(message: OutgoingMessage) -> SendResult:
        await world.provider.take(message)
        return await world.provider.take_and_fall_silent(message)

    world.provider.plans.append(take_twice)
    await process.accept(world.send())
    await process.work()

    assert await world.states() == ["needs_review"]
    assert len(world.provider.asked) == 1


async def twins(world: World) -> Process:
    """Two replies of the same words, both uncertain; the provider has the second only."""
    process = world.process(QUICK.model_copy(update={"uncertain_blocks_seconds": 0.0}))
    world.provider.plans.extend([world.provider.lose, world.provider.take_and_fall_silent])
    await process.accept(world.send("Sim!"))
    await process.accept(world.send("Sim!"))
    await process.work()
    return process


async def test_a_listed_message_that_two_parts_could_be_is_taken_for_neither(
    world: World,
) -> None:
    process = await twins(world)
    waiting = await world.states()
    _, second = await world.parts()

    await process.track(world.report("sent", sid=world.provider.sid_of(second.id), part=second.id))
    await world.let_time_pass()
    await process.work()

    assert waiting == ["uncertain", "uncertain"]
    assert await world.states() == ["needs_review", "sent"]
    assert len(world.provider.asked) == 2


async def test_two_parts_that_no_callback_tells_apart_are_left_to_a_person(world: World) -> None:
    process = await twins(world)

    await world.write(claimed_at=datetime.now(UTC) - timedelta(hours=2))
    await world.let_time_pass()
    await process.work()

    assert await world.states() == ["needs_review", "needs_review"]
    assert len(world.provider.asked) == 2


async def test_a_callback_takes_its_message_from_the_part_that_it_was_taken_for(
    world: World,
) -> None:
    process = await twins(world)
    first, second = await world.parts()
    sid = world.provider.sid_of(second.id)
    await world.write(first.id, provider_message_id=sid, state="accepted")

    await process.track(world.report("delivered", sid=sid, part=second.id))

    first, second = await world.parts()
    assert (first.state, first.provider_message_id) == ("uncertain", None)
    assert (second.state, second.provider_message_id) == ("delivered", sid)
    assert {told.part for told in await world.told() if isinstance(told, SendAccepted)} == {
        second.id
    }


async def test_an_equal_text_that_was_sent_before_is_not_taken_for_it(world: World) -> None:
    process = world.process()
    await process.accept(world.send("Sim!"))
    await process.work()
    world.provider.plans.append(world.provider.lose)

    await process.accept(world.send("Sim!"))
    await process.work()

    assert await world.states() == ["accepted", "accepted"]
    assert len(world.provider.taken) == 2


async def test_without_a_list_it_waits_and_in_the_end_is_left_to_a_person(world: World) -> None:
    process = world.process()
    world.provider.plans.append(world.provider.take_and_fall_silent)
    world.provider.lists = False

    await process.accept(world.send())
    job = await process.claim("sender")
    assert job is not None
    await process.deliver(job)
    look = await process.claim("reconcile")
    assert look is not None
    await process.reconcile(look)
    waits = await world.states()
    await world.write(claimed_at=datetime.now(UTC) - timedelta(hours=2))
    await world.let_time_pass()
    await process.work()

    assert waits == ["uncertain"]
    assert await world.states() == ["needs_review"]
    assert len(world.provider.asked) == 1


async def test_past_a_limit_later_replies_go_and_it_is_never_sent_behind_them(
    world: World,
) -> None:
    process = world.process(PATIENT)
    world.provider.plans.append(world.provider.lose)

    await process.accept(world.send("first"))
    await process.accept(world.send("second"))
    await process.work()
    await world.let_time_pass()
    await process.work()

    first, second = await world.parts()
    assert (first.state, second.state) == ("needs_review", "accepted")
    assert world.provider.texts == ["second"]


async def test_a_late_callback_is_believed_over_the_review(world: World) -> None:
    process = world.process()
    world.provider.plans.extend([world.provider.take_and_fall_silent])
    world.provider.lists = False
    await process.accept(world.send())
    await world.write(claimed_at=None)
    job = await process.claim("sender")
    assert job is not None
    await process.deliver(job)
    await world.write(claimed_at=datetime.now(UTC) - timedelta(hours=2))
    await process.work()
    reviewed = await world.states()
    part = (await world.part()).id

    await process.track(world.report("sent", sid=world.provider.sid_of(part), part=part))

    assert reviewed == ["needs_review"]
    assert await world.states() == ["sent"]


async def test_an_answer_after_the_doubt_is_as_good_as_a_callback(world: World) -> None:
    process, other = world.process(PATIENT), world.process(PATIENT)

    async def answer_late(message: OutgoingMessage) -> SendResult:
        answer = await world.provider.take(message)
        await world.lose_leases()
        await other.work()
        assert await world.states() == ["uncertain"]
        return answer

    world.provider.plans.append(answer_late)
    await process.accept(world.send())
    job = await process.claim("sender")
    assert job is not None
    with pytest.raises(LeaseLostError):
        await process.deliver(job)
    await other.work()

    assert await world.states() == ["accepted"]
    assert len(world.provider.asked) == 1


async def test_an_answer_that_says_nothing_does_not_undo_a_callback(world: World) -> None:
    process = world.process()

    async def call_back_and_fall_silent(message: OutgoingMessage) -> SendResult:
        await world.provider.take(message)
        sid = world.provider.sid_of(message.part)
        await process.track(world.report("delivered", sid=sid, part=message.part))
        return Unknown("reset")

    world.provider.plans.append(call_back_and_fall_silent)
    await process.accept(world.send())
    await process.work()

    assert await world.states() == ["delivered"]
    assert len(world.provider.asked) == 1


async def test_a_refusal_after_the_doubt_lets_later_replies_go_on(world: World) -> None:
    process, other = world.process(PATIENT), world.process(PATIENT)

    async def refuse_late(_message: OutgoingMessage) -> SendResult:
        await world.lose_leases()
        await other.work()
        return Refused(400, 21211)

    world.provider.plans.append(refuse_late)
    await process.accept(world.send("first"))
    await process.accept(world.send("second"))
    job = await process.claim("sender")
    assert job is not None
    with pytest.raises(LeaseLostError):
        await process.deliver(job)
    await other.work()

    assert await world.states() == ["failed", "accepted"]
