"""What happens while the assistant works, and who may still write then; on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.database import Transaction
from common.errors import DependencyDown
from common.jobs import Job, LeaseLostError
from common.testing import eventually
from processor.answer_turn import AnsweredElsewhereError
from processor.conversation.models import CONVERSATIONS, MESSAGES, Conversation
from processor.conversation.repository import StaleVersionError, save
from processor.conversation.rules import State, Step
from processor.job_kinds import PUBLISH, TURN
from tests.contract.processor_doubles import Deaf, Echo, Interrupted, Waiting
from tests.contract.processor_world import BOTH, World, open_world, paced


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


async def test_a_message_that_arrives_while_the_assistant_works_gets_another_turn(
    world: World,
) -> None:
    await world.receive("first")

    await world.run_turns(Interrupted(lambda: world.receive("second")))
    await world.run_turns()

    assert await world.replies() == ["first", "second"]
    assert await world.outcomes() == ["replied", "replied"]


async def test_what_the_broker_took_unnoticed_is_published_again_as_the_same_event(
    world: World,
) -> None:
    await world.receive("oi")
    await world.run_turns()
    (job,) = await world.claim(PUBLISH)

    with pytest.raises(DependencyDown):
        await world.publish(job, over=Deaf(world.transport))
    (successor,) = await _claimed_after_expiry(world, PUBLISH)
    await world.publish(successor)

    first, second = world.published()
    assert first.id == second.id
    assert await world.claim(PUBLISH) == []


async def test_a_person_takes_over_while_the_assistant_works(world: World) -> None:
    await world.receive("oi")

    await world.run_turns(Interrupted(lambda: world.change(CONVERSATIONS, state="handoff")))

    assert await world.outcomes() == ["handoff"]
    assert await world.replies() == []


async def test_an_operator_closes_while_the_assistant_works(world: World) -> None:
    await world.receive("oi")

    await world.run_turns(
        Interrupted(lambda: world.change(CONVERSATIONS, state="closed", closing="operator"))
    )

    assert await world.outcomes() == ["closed"]
    assert await world.replies() == []


async def test_a_contact_opts_out_while_the_assistant_works(world: World) -> None:
    await world.receive("oi")

    await world.run_turns(Interrupted(lambda: world.receive("STOP")))

    assert await world.outcomes() == ["opted out", "opted out"]
    assert await world.replies() == []


async def test_a_reply_that_comes_too_late_is_thrown_away(world: World) -> None:
    hasty = world.with_pace(paced(age=timedelta(seconds=1.5)))
    event = await hasty.receive("oi")

    async def until_too_late() -> None:
        await eventually(lambda: datetime.now(UTC) > event.payload.received_at + hasty.pace.age)

    slow = Interrupted(until_too_late)
    await hasty.run_turns(slow)

    assert len(slow.turns) == 1
    assert await hasty.outcomes() == ["age"]
    assert await hasty.replies() == []


async def test_no_transaction_is_open_while_the_assistant_works(world: World) -> None:
    await world.receive("oi")

    async def another_write() -> None:
        async with asyncio.timeout(20):
            await world.receive("oi", contact="whatsapp:+5511999990002")

    await world.run_turns(Interrupted(another_write))

    assert await world.replies() == ["oi"]


async def test_a_process_that_lost_its_lease_writes_nothing(world: World) -> None:
    await world.receive("oi")
    (stopped,) = await world.claim()
    waiting = Waiting()
    late = asyncio.create_task(world.answer(stopped, waiting))
    await waiting.begun.wait()

    (successor,) = await _claimed_after_expiry(world)
    await world.answer(successor, Echo())
    waiting.let_go.set()

    with pytest.raises((LeaseLostError, AnsweredElsewhereError)):
        await late
    assert await world.replies() == ["oi"]
    assert await world.outcomes() == ["replied"]


async def test_the_fence_holds_where_the_successor_has_not_answered_yet(world: World) -> None:
    await world.receive("oi")
    (stopped,) = await world.claim()
    waiting = Waiting()
    late = asyncio.create_task(world.answer(stopped, waiting))
    await waiting.begun.wait()

    (successor,) = await _claimed_after_expiry(world)
    waiting.let_go.set()
    with pytest.raises(LeaseLostError):
        await late
    nothing_yet = await world.replies()
    await world.answer(successor, Echo())

    assert nothing_yet == []
    assert await world.replies() == ["oi"]


async def test_a_process_that_lost_its_lease_asks_nobody(world: World) -> None:
    await world.receive("oi")
    (stopped,) = await world.claim()
    await _claimed_after_expiry(world)
    echo = Echo()

    with pytest.raises(LeaseLostError):
        await world.answer(stopped, echo)

    assert echo.turns == []


async def test_a_conversation_is_written_by_who_read_it_last(world: World) -> None:
    await world.receive("oi")
    (row,) = await world.conversations()

    def take_over(tx: Transaction) -> None:
        save(tx, Conversation(**row), Step(State.HANDOFF))

    await world.database.transaction(take_over, tenant=world.tenant)
    with pytest.raises(StaleVersionError):
        await world.database.transaction(take_over, tenant=world.tenant)


async def test_the_second_wall_holds_where_the_fence_does_not(world: World) -> None:
    """The messages were answered beside the job: only their outcomes can tell."""
    await world.receive("oi")

    with pytest.raises(AnsweredElsewhereError):
        await world.run_turns(Interrupted(lambda: world.change(MESSAGES, outcome="replied")))

    assert await world.replies() == []


async def _claimed_after_expiry(world: World, kind: str = TURN) -> list[Job]:
    """Let the lease run out long ago, and take the job as another process does."""
    long_ago = world.long_ago
    await world.execute(f"update processor_jobs set lease_until = {long_ago}")
    return list(await eventually(lambda: world.claim(kind)))
