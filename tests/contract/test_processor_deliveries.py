"""What the notifier tells of replies, on SQLite and on Postgres as the serving role."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from common.errors import PermanentError
from common.events import Event, SendAccepted, SendDelivered, SendFailed, Unanswered
from common.ids import Ulid, new_id
from processor.conversation.models import REPLY_DELIVERIES
from processor.record_delivery import RecordDelivery, SendUpdate
from tests.contract.processor_world import BOTH, CONTACT, SENDER, World, open_world

PART = new_id()


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
async def reply(world: World) -> Ulid:
    await world.receive("oi")
    await world.receive("abrem domingo?")
    await world.run_turns()
    return (await world.messages())[-1]["id"]


async def tell(world: World, *updates: SendUpdate) -> None:
    for update in updates:
        event = Event[SendUpdate].of(
            update, source="notifier", tenant=world.tenant, correlation=new_id()
        )
        await RecordDelivery(world.database)(event)


def accepted(reply: Ulid) -> SendAccepted:
    return SendAccepted(**_part(reply), provider_message_id="SM1")


def delivered(reply: Ulid, status: str = "delivered") -> SendDelivered:
    return SendDelivered(**_part(reply), status=status)


def failed(reply: Ulid, reason: Unanswered = Unanswered.REFUSED) -> SendFailed:
    return SendFailed(**_part(reply), reason=reason, error_code=63016)


async def test_a_delivered_reply_leaves_its_messages_replied(world: World, reply: Ulid) -> None:
    await tell(world, accepted(reply), delivered(reply, "sent"), delivered(reply))

    facts = await world.rows(REPLY_DELIVERIES, "status")
    assert [fact["status"] for fact in facts] == ["accepted", "delivered", "sent"]
    assert await world.outcomes() == ["replied", "replied"]


async def test_a_failed_reply_gives_its_reason_to_all_it_covers(world: World, reply: Ulid) -> None:
    await tell(world, accepted(reply), failed(reply))

    assert await world.outcomes() == ["refused by the provider"] * 2


async def test_a_fact_told_twice_is_known_once(world: World, reply: Ulid) -> None:
    await tell(world, failed(reply), failed(reply))

    (fact,) = await world.rows(REPLY_DELIVERIES)
    assert (fact["reason"], fact["error_code"]) == ("refused by the provider", 63016)


async def test_the_order_in_which_facts_come_is_no_matter(world: World, reply: Ulid) -> None:
    facts = (failed(reply, Unanswered.UNDER_REVIEW), accepted(reply), delivered(reply))

    for order in permutations(facts):
        await world.clear(REPLY_DELIVERIES)
        await tell(world, *order)

        assert await world.outcomes() == ["replied", "replied"]


async def test_a_send_under_review_is_the_outcome_until_it_is_settled(
    world: World, reply: Ulid
) -> None:
    await tell(world, failed(reply, Unanswered.UNDER_REVIEW))
    before = await world.outcomes()

    await tell(world, accepted(reply))

    assert before == ["send under review"] * 2
    assert await world.outcomes() == ["replied"] * 2


async def test_deliveries_do_not_touch_the_conversation(world: World, reply: Ulid) -> None:
    before = await world.conversations()

    await tell(world, accepted(reply), failed(reply))

    assert await world.conversations() == before


async def test_another_reply_keeps_its_outcome(world: World, reply: Ulid) -> None:
    await world.receive("obrigado")
    await world.run_turns()

    await tell(world, failed(reply))

    assert await world.outcomes() == [*["refused by the provider"] * 2, "replied"]


async def test_a_reply_that_nobody_wrote_is_a_dead_letter(world: World) -> None:
    with pytest.raises(PermanentError, match="no reply"):
        await tell(world, accepted(new_id()))


def _part(reply: Ulid) -> dict[str, Any]:
    return {
        "message": reply,
        "sender": SENDER,
        "recipient": CONTACT,
        "part": PART,
        "ordinal": 0,
        "parts": 1,
        "at": datetime.now(UTC),
    }
