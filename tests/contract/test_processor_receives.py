"""Receiving a message, on SQLite and on Postgres as the serving role."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.accounts import CONTACT_PERMISSIONS
from common.events import Channel, MediaReference
from processor.conversation.models import CONVERSATIONS
from processor.identity.models import CONTACTS
from tests.contract.processor_world import BOTH, CONTACT, SENDER, World, open_world


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


async def test_a_message_is_stored_in_a_new_conversation_and_gets_a_turn(world: World) -> None:
    event = await world.receive("Vocês abrem domingo?")

    (message,) = await world.messages()
    (conversation,) = await world.conversations()
    (job,) = await world.claim()
    assert (message["text"], message["seq"]) == ("Vocês abrem domingo?", 1)
    assert message["correlation_id"] == job.correlation == event.correlation
    assert message["outcome"] is None
    assert (conversation["state"], conversation["recipient"]) == ("pending", CONTACT)
    assert job.key == str(conversation["id"])


async def test_a_redelivered_message_is_answered_once(world: World) -> None:
    event = await world.receive("oi")
    await world.run_turns()

    await world.deliver(event)
    await world.run_turns()

    assert await world.replies() == ["oi"]
    assert await world.outcomes() == ["replied"]


async def test_the_same_text_with_another_id_is_another_message(world: World) -> None:
    await world.receive("oi")
    await world.receive("oi")

    assert len(await world.messages()) == 2


@pytest.mark.parametrize("known", [False, True], ids=["new contact", "known contact"])
async def test_redelivery_while_it_is_being_stored_stores_it_once(
    world: World, *, known: bool
) -> None:
    if known:
        await world.receive("before")
        await world.change(CONVERSATIONS, state="closed", closing="operator")
    event = world.message("oi")

    await asyncio.gather(*(world.deliver(event) for _ in range(8)))

    assert len(await world.messages()) == 1 + known
    assert len(await world.conversations()) == 1 + known


async def test_a_hundred_messages_at_once_share_one_conversation(world: World) -> None:
    await asyncio.gather(*(world.receive(f"message {number}") for number in range(100)))

    messages = await world.messages()
    assert len(await world.rows(CONTACTS)) == 1
    assert len(await world.conversations()) == 1
    assert sorted(message["seq"] for message in messages) == list(range(1, 101))
    assert len(await world.claim()) == 1


async def test_media_alone_is_kept_as_metadata_and_is_nothing_to_answer(world: World) -> None:
    photo = MediaReference(url="https://example.org/m/1", content_type="image/jpeg")

    await world.receive("", media=(photo,))

    (message,) = await world.messages()
    assert message["media"] == [photo.model_dump()]
    assert message["outcome"] == "nothing to answer"
    assert await world.claim() == []


@pytest.mark.parametrize(
    "text",
    [
        "x" * 4000,
        "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}\N{ZERO WIDTH JOINER}",
        "\N{RIGHT-TO-LEFT OVERRIDE}مرحبا، هل أنتم مفتوحون؟",
        "a\nb\tc",
        "'; drop table messages --",
    ],
    ids=["long", "emoji", "right to left", "control", "quote"],
)
async def test_any_text_is_stored_as_it_came(world: World, text: str) -> None:
    await world.receive(text)

    (message,) = await world.messages()
    assert message["text"] == text


async def test_what_postgres_cannot_keep_is_taken_out(world: World) -> None:
    await world.receive("a\0b", attributes={"Label\0": "x\0y"})

    (message,) = await world.messages()
    assert message["text"] == "ab"
    assert message["attributes"] == {"Label": "xy"}


async def test_a_person_has_taken_over_so_the_assistant_is_silent(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await world.change(CONVERSATIONS, state="handoff")

    await world.receive("alguém aí?")

    assert await world.outcomes() == ["replied", "handoff"]
    assert await world.claim() == []


async def test_a_closed_conversation_is_followed_by_a_linked_one(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await world.change(CONVERSATIONS, state="closed", closing="operator")

    await world.receive("oi de novo")

    first, second = await world.conversations()
    assert (second["state"], second["previous_id"]) == ("pending", first["id"])


async def test_long_silence_closes_a_conversation_before_its_timer_does(world: World) -> None:
    await world.receive("oi")
    await world.run_turns()
    await world.change(CONVERSATIONS, active_at=datetime.now(UTC) - timedelta(days=2))

    await world.receive("oi de novo")

    first, second = await world.conversations()
    assert (first["state"], first["closing"]) == ("closed", "expired")
    assert second["previous_id"] == first["id"]


async def test_two_contacts_have_two_conversations(world: World) -> None:
    await world.receive("oi")
    await world.receive("oi", contact="whatsapp:+5511999990002")

    assert len(await world.conversations()) == 2


async def test_when_the_contact_wrote_last_never_moves_back(world: World) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    await world.receive("new", received_at=now)

    await world.receive("old, found later", received_at=now - timedelta(hours=1))

    (permission,) = await world.rows(CONTACT_PERMISSIONS)
    assert permission["last_inbound_at"] == now
    assert (permission["sender"], permission["address"]) == (SENDER, CONTACT)


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Unsubscribe", "PARAR", "Sair!"])
async def test_a_word_of_refusal_is_obeyed_and_not_answered(world: World, word: str) -> None:
    await world.receive(word)

    (permission,) = await world.rows(CONTACT_PERMISSIONS)
    (conversation,) = await world.conversations()
    assert permission["opted_out_at"] is not None
    assert (conversation["state"], conversation["closing"]) == ("closed", "contact")
    assert await world.outcomes() == ["opted out"]
    assert await world.claim() == []


async def test_while_opted_out_every_message_is_stored_and_none_answered(world: World) -> None:
    await world.receive("STOP")

    await world.receive("vocês abrem domingo?")
    await world.receive("oi?")

    assert await world.outcomes() == ["opted out"] * 3
    assert await world.claim() == []


async def test_start_lifts_the_refusal_and_the_next_message_is_answered(world: World) -> None:
    await world.receive("STOP")

    await world.receive("START")
    await world.receive("vocês abrem domingo?")
    await world.run_turns()

    assert await world.outcomes() == ["opted out", "nothing to answer", "replied"]


async def test_stop_settles_what_was_waiting_for_its_turn(world: World) -> None:
    await world.receive("vocês abrem domingo?")
    await world.receive("STOP")

    await world.run_turns()

    assert await world.outcomes() == ["opted out", "opted out"]
    assert await world.replies() == []


async def test_what_twilio_recognised_counts_whatever_the_words(world: World) -> None:
    await world.receive("chega", attributes={"OptOutType": "STOP"})

    assert await world.outcomes() == ["opted out"]


async def test_help_by_sms_was_answered_by_twilio(world: World) -> None:
    await world.receive("HELP", channel=Channel.SMS)

    assert await world.outcomes() == ["nothing to answer"]
