"""Silence, on SQLite and on Postgres as the serving role."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from common.database import Transaction
from processor.conversation.models import CONVERSATIONS
from tests.contract.processor_world import BOTH, World, open_world


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


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


async def _after_silence(world: World, hours: float) -> str:
    """Let the conversation be quiet that long, run its timer, and return its state."""
    await world.change(CONVERSATIONS, active_at=datetime.now(UTC) - timedelta(hours=hours))
    long_ago = world.long_ago
    await world.execute(f"update processor_jobs set due_at = {long_ago} where kind = 'timer'")
    await world.advance()
    return (await world.conversations())[0]["state"]


async def _timers(world: World) -> int:
    def count(tx: Transaction) -> int:
        query = text("select count(*) from processor_jobs where kind = 'timer'")
        return tx.execute(query).scalar_one()

    return await world.database.read(count, tenant=world.tenant)
