"""Answering, on SQLite and on Postgres as the serving role."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import DependencyDown
from common.events import MediaReference
from common.testing import eventually
from processor.conversation.models import TURNS
from tests.contract.processor_doubles import Away, Echo, Saying
from tests.contract.processor_world import BOTH, CONTACT, SENDER, World, open_world, paced


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


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
    slow = world.with_pace(paced(window=timedelta(seconds=0.2), cap=timedelta(hours=1)))
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

    await world.with_pace(paced(window=timedelta(hours=1))).run_turns()

    assert await world.replies() == ["oi | e"]


async def test_replies_leave_in_the_order_in_which_they_were_stored(world: World) -> None:
    for number in range(5):
        await world.receive(f"{number}")
        await world.run_turns()

    await world.publish_all()

    assert [command.payload.text for command in world.published()] == ["0", "1", "2", "3", "4"]
    assert [row["seq"] for row in await world.messages()] == list(range(1, 11))


async def test_what_was_published_is_not_published_again(world: World) -> None:
    for words in ("first", "second"):
        await world.receive(words)
        await world.run_turns()
        await world.publish_all()

    assert [command.payload.text for command in world.published()] == ["first", "second"]


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


@pytest.mark.parametrize("nothing", [None, "", " \n", "\0"])
async def test_an_assistant_with_nothing_to_say_leaves_a_reason(
    world: World, nothing: str | None
) -> None:
    await world.receive("\N{THUMBS UP SIGN}")

    await world.run_turns(Saying(nothing))

    assert await world.outcomes() == ["nothing to answer"]
    assert await world.claim() == []


async def test_a_reply_may_say_what_postgres_cannot_keep(world: World) -> None:
    await world.receive("oi")

    await world.run_turns(Saying("a\0b"))

    assert await world.replies() == ["ab"]


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

    await world.with_pace(paced(history=3)).run_turns(echo)

    assert [said.text for said in echo.turns[0].history] == ["2", "3", "3"]


async def test_what_a_turn_logs_and_counts_is_what_was_committed(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await world.receive("STOP")

    counted = world.metrics.registry.get_sample_value
    assert counted("recado_messages_total", {"outcome": "replied"}) == 1
    assert counted("recado_messages_total", {"outcome": "opted out"}) == 1
    assert counted("recado_reply_seconds_count") == 1
