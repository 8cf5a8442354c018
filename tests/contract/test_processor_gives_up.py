"""A turn that fails for good, on SQLite and on Postgres as the serving role."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.errors import PermanentError
from common.jobs import Job, JobRunner
from common.settings import JobSettings
from common.testing import eventually
from processor.give_up_turn import GiveUpTurn
from processor.job_kinds import TURN
from tests.contract.processor_doubles import Echo
from tests.contract.processor_world import BOTH, World, open_world

IMPATIENT = JobSettings(
    kinds=frozenset({TURN}), retry_attempts=2, retry_first_seconds=0.001, poll_seconds=0.02
)


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


async def run_until_settled(world: World, error: Exception) -> None:
    """Run turns that always fail until every message has an outcome."""

    async def fail(_job: Job) -> None:
        raise error

    async def settled() -> bool:
        return None not in await world.outcomes()

    given_up = {TURN: GiveUpTurn(world.metrics, patience=world.patience)}
    runner = JobRunner(world.jobs, {TURN: fail}, IMPATIENT, world.metrics, given_up=given_up)
    stop = asyncio.Event()
    running = asyncio.create_task(runner.run(stop))
    await eventually(settled)
    stop.set()
    await running


@pytest.mark.parametrize("error", [PermanentError("no model"), ValueError("a mistake")])
async def test_its_messages_get_their_outcome_and_the_conversation_is_closed(
    world: World, error: Exception
) -> None:
    await world.receive("oi")
    await world.receive("abrem domingo?")

    await run_until_settled(world, error)

    (conversation,) = await world.conversations()
    assert await world.outcomes() == ["dead-lettered", "dead-lettered"]
    assert (conversation["state"], conversation["closing"]) == ("closed", "failed")
    assert await world.claim() == []


async def test_the_next_message_is_answered_in_a_conversation_of_its_own(world: World) -> None:
    await world.receive("oi")
    await run_until_settled(world, PermanentError("no model"))

    await world.receive("alguém aí?")
    await world.run_turns(Echo())

    assert await world.outcomes() == ["dead-lettered", "replied"]
    assert await world.replies() == ["alguém aí?"]
    assert len(await world.conversations()) == 2
