"""Answering, on SQLite and on Postgres as the serving role."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from common.broker.memory_transport import MemoryTransport
from common.database import Transaction
from common.errors import DependencyDown
from common.events import MediaReference, Record
from common.jobs import Job, LeaseLostError
from common.testing import eventually
from processor.answer_turn import AnsweredElsewhereError, Pace
from processor.assistant import Answer, TurnContext
from processor.conversation.models import CONVERSATIONS, MESSAGES, TURNS
from processor.job_kinds import PUBLISH, TURN
from tests.contract.processor_world import AT_ONCE, BOTH, CONTACT, SENDER, Echo, World, open_world

Meanwhile = Callable[[], Awaitable[object]]


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


class Interrupted(Echo):
    """An assistant during whose work something else happens."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def answer(self, turn: TurnContext) -> Answer:
        await self._meanwhile()
        return await super().answer(turn)


class Waiting(Echo):
    """An assistant that works until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()

    async def answer(self, turn: TurnContext) -> Answer:
        self.begun.set()
        await self.let_go.wait()
        return await super().answer(turn)


class Deaf(MemoryTransport):
    """Takes every record for another transport, and never says so."""

    def __init__(self, inner: MemoryTransport) -> None:
        super().__init__()
        self._inner = inner

    async def publish(self, record: Record) -> None:
        await self._inner.publish(record)
        raise DependencyDown("broker", "the answer was lost")


class Silent:
    async def answer(self, turn: TurnContext) -> Answer:
        del turn
        return Answer(None)


class Away:
    async def answer(self, turn: TurnContext) -> Answer:
        del turn
        raise DependencyDown("model", "no route")


async def test_the_reply_its_outcome_and_its_command_are_stored_together(world: World) -> None:
    event = await world.receive("oi")

    await world.run_turns()
    await world.publish_all()

    inbound, reply = await world.messages()
    (command,) = world.published()
    assert (inbound["outcome"], inbound["reply_id"]) == ("replied", reply["id"])
    assert (reply["text"], reply["seq"], reply["direction"]) == ("oi", 2, "outbound")
    assert command.id == command.payload.message == reply["id"]
    assert command.correlation == reply["correlation_id"] == event.correlation
    assert (command.payload.sender, command.payload.recipient) == (SENDER, CONTACT)
    assert command.payload.not_after == event.payload.received_at + world.pace.age
    assert await world.claim() == []


async def test_a_first_reply_makes_the_conversation_active(world: World) -> None:
    await world.receive("oi")

    await world.run_turns()

    (conversation,) = await world.conversations()
    (turn,) = await world.rows(TURNS)
    assert conversation["state"] == "active"
    assert turn["ended_at"] is not None


async def test_one_reply_covers_all_that_is_unanswered(world: World) -> None:
    for words in ("oi", "vocês", "abrem domingo?"):
        await world.receive(words)

    await world.run_turns()

    assert await world.replies() == ["oi | vocês | abrem domingo?"]
    assert await world.outcomes() == ["replied"] * 3


async def test_a_turn_waits_while_the_contact_still_writes(world: World) -> None:
    slow = world.paced(_pace(window=timedelta(seconds=0.2), cap=timedelta(hours=1)))
    await slow.receive("oi")
    (job,) = await eventually(slow.claim)
    await slow.receive("abrem domingo?")

    await slow.answer(job, Echo())
    put_off = await slow.replies()
    (later,) = await eventually(slow.claim)
    await slow.answer(later, Echo())

    assert put_off == []
    assert await slow.replies() == ["oi | abrem domingo?"]


async def test_a_contact_who_keeps_writing_is_answered_at_the_cap(world: World) -> None:
    await world.receive("oi")
    await world.receive("e")

    await world.paced(_pace(window=timedelta(hours=1))).run_turns()

    assert await world.replies() == ["oi | e"]


async def test_a_message_that_arrives_while_the_assistant_works_gets_another_turn(
    world: World,
) -> None:
    await world.receive("first")

    await world.run_turns(Interrupted(lambda: world.receive("second")))
    await world.run_turns()

    assert await world.replies() == ["first", "second"]
    assert await world.outcomes() == ["replied", "replied"]


async def test_replies_leave_in_the_order_in_which_they_were_stored(world: World) -> None:
    for number in range(5):
        await world.receive(f"{number}")
        await world.run_turns()

    await world.publish_all()

    assert [command.payload.text for command in world.published()] == ["0", "1", "2", "3", "4"]
    assert [row["seq"] for row in await world.messages()] == list(range(1, 11))


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


async def test_a_message_too_old_is_not_answered_and_a_fresh_one_is(world: World) -> None:
    await world.receive("old", received_at=datetime.now(UTC) - timedelta(hours=7))
    await world.receive("fresh")

    await world.run_turns()

    assert await world.outcomes() == ["age", "replied"]
    assert await world.replies() == ["fresh"]


async def test_all_is_too_old_so_nobody_asks_the_assistant(world: World) -> None:
    await world.receive("old", received_at=datetime.now(UTC) - timedelta(hours=7))
    echo = Echo()

    await world.run_turns(echo)

    assert await world.outcomes() == ["age"]
    assert echo.turns == []


async def test_a_reply_that_comes_too_late_is_thrown_away(world: World) -> None:
    hasty = world.paced(_pace(age=timedelta(seconds=0.1)))
    event = await hasty.receive("oi")

    async def until_too_late() -> None:
        await eventually(lambda: datetime.now(UTC) > event.payload.received_at + hasty.pace.age)

    await hasty.run_turns(Interrupted(until_too_late))

    assert await hasty.outcomes() == ["age"]
    assert await hasty.replies() == []


async def test_an_assistant_with_nothing_to_say_leaves_a_reason(world: World) -> None:
    await world.receive("👍")

    await world.run_turns(Silent())

    assert await world.outcomes() == ["nothing to answer"]
    assert await world.claim() == []


async def test_an_assistant_that_is_away_leaves_the_turn_to_be_tried_again(world: World) -> None:
    await world.receive("oi")
    (job,) = await world.claim()

    with pytest.raises(DependencyDown):
        await world.answer(job, Away())
    await world.jobs.back_off(job, delay=timedelta(0), counted=False)
    echo = Echo()
    await world.run_turns(echo)

    (turn,) = await world.rows(TURNS)
    assert await world.outcomes() == ["replied"]
    assert echo.turns[0].turn == turn["id"]


async def test_the_assistant_sees_what_was_said_before(world: World) -> None:
    photo = MediaReference(url="https://example.org/m/1", content_type="image/jpeg")
    await world.receive("first")
    await world.run_turns()
    await world.receive("", media=(photo,))
    await world.receive("second")
    echo = Echo()

    await world.run_turns(echo)

    (turn,) = echo.turns
    assert [(said.by, said.text) for said in turn.history] == [
        ("contact", "first"),
        ("us", "first"),
    ]
    assert (turn.business, turn.language, turn.unanswered) == ("Padaria", "pt", ("second",))


async def test_the_assistant_sees_no_more_history_than_was_set(world: World) -> None:
    for number in range(4):
        await world.receive(f"{number}")
        await world.run_turns()
    await world.receive("now")
    echo = Echo()

    await world.paced(_pace(history=3)).run_turns(echo)

    assert [said.text for said in echo.turns[0].history] == ["2", "3", "3"]


async def test_no_transaction_is_open_while_the_assistant_works(world: World) -> None:
    await world.receive("oi")

    async def another_write() -> None:
        async with asyncio.timeout(2):
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


async def test_the_second_wall_holds_where_the_fence_does_not(world: World) -> None:
    """The messages were answered beside the job: only their outcomes can tell."""
    await world.receive("oi")

    with pytest.raises(AnsweredElsewhereError):
        await world.run_turns(Interrupted(lambda: world.change(MESSAGES, outcome="replied")))

    assert await world.replies() == []


async def test_what_a_turn_logs_and_counts_is_what_was_committed(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await world.receive("STOP")

    counted = world.metrics.registry.get_sample_value
    assert counted("recado_messages_total", {"outcome": "replied"}) == 1
    assert counted("recado_messages_total", {"outcome": "opted out"}) == 1


async def test_silence_makes_a_conversation_idle_and_then_closes_it(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()

    states = [await _after_silence(world, hours) for hours in (0.5, 2, 25)]

    assert states == ["active", "idle", "closed"]
    assert (await world.conversations())[0]["closing"] == "expired"
    assert await _timers(world) == 0


async def test_an_idle_conversation_is_active_again_at_the_next_message(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await _after_silence(world, 2)

    await world.receive("voltei")

    (conversation,) = await world.conversations()
    assert conversation["state"] == "active"


async def test_a_timer_leaves_a_person_alone(world: World) -> None:
    await world.receive("oi")
    await world.change(CONVERSATIONS, state="handoff")

    state = await _after_silence(world, 100)

    assert state == "handoff"
    assert await _timers(world) == 0


def _pace(
    *,
    window: timedelta = AT_ONCE.burst_window,
    cap: timedelta = AT_ONCE.burst_cap,
    age: timedelta = AT_ONCE.age,
    history: int = AT_ONCE.history,
) -> Pace:
    return Pace(window, cap, age, history)


async def _claimed_after_expiry(world: World, kind: str = TURN) -> list[Job]:
    """Let the lease run out long ago, and take the job as another process does."""
    long_ago = "0" if _is_sqlite(world) else "'2001-01-01'"
    await _execute(world, f"update processor_jobs set lease_until = {long_ago}")
    return list(await eventually(lambda: world.claim(kind)))


async def _after_silence(world: World, hours: float) -> str:
    """Let the conversation be quiet that long, run its timer, and return its state."""
    await world.change(CONVERSATIONS, active_at=datetime.now(UTC) - timedelta(hours=hours))
    long_ago = "0" if _is_sqlite(world) else "'2001-01-01'"
    await _execute(world, f"update processor_jobs set due_at = {long_ago} where kind = 'timer'")
    await world.advance()
    return (await world.conversations())[0]["state"]


async def _timers(world: World) -> int:
    def count(tx: Transaction) -> int:
        query = text("select count(*) from processor_jobs where kind = 'timer'")
        return tx.execute(query).scalar_one()

    return await world.database.read(count, tenant=world.tenant)


async def _execute(world: World, statement: str) -> None:
    await world.database.transaction(lambda tx: tx.execute(text(statement)), tenant=world.tenant)


def _is_sqlite(world: World) -> bool:
    return world.database is world.owner
