"""A tenant whose records fail, from the first of them to the operator's verb, over an engine."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from common.broker.dead_letters.letters import Reason
from common.broker.dead_letters.office import DeadLetterOffice, Wanted
from common.broker.engine.resume import ResumeTenant
from common.broker.publisher import Publisher
from common.database import Transaction
from common.errors import PermanentError
from common.events import MESSAGES_RECEIVED, Event
from common.ids import new_id
from common.jobs import JobRunner, Jobs
from common.settings import BrokerSettings, JobSettings
from common.testing import eventually
from common.testing.broker import RememberingHandler, engine_of, message, running
from processor.job_kinds import RESUME
from tests.contract.processor_world import BOTH, World, open_world

ONE, TWO = "+55111", "+55222"
TWO_IN_A_ROW = BrokerSettings(suspend_after=2)


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


async def refuse_bad(event: Event[Any]) -> None:
    if event.payload.text == "bad":
        raise PermanentError("no such account")


async def test_its_records_wait_and_are_handled_in_their_order_when_it_is_resumed(
    world: World,
) -> None:
    handler, other = RememberingHandler(refuse_bad), new_id()
    engine = engine_of(world.transport, handler, world.database, settings=TWO_IN_A_ROW)
    publisher = Publisher(world.transport, world.metrics)
    office = DeadLetterOffice("processor", world.owner, operator="ana")
    jobs = Jobs("processor", world.database, (RESUME,), lease=timedelta(seconds=30), per_tenant=4)
    resume = ResumeTenant(
        "processor", world.database, jobs, {MESSAGES_RECEIVED: handler}, world.metrics
    )
    runner = JobRunner(jobs, {RESUME: resume}, JobSettings(poll_seconds=0.05), world.metrics)

    async def receive(*words: str) -> None:
        for each in words:
            for contact in (ONE, TWO):
                await publisher.publish(message(contact, each, tenant=world.tenant))

    async with running(engine), running(runner):
        await receive("bad", "bad")
        await eventually(office.halts)
        await receive(*(f"early {n}" for n in range(5)))
        await publisher.publish(message("+55333", "oi", tenant=other))
        await eventually(lambda: handler.words_of("+55333"))
        await eventually(lambda: has_suspended(office, 10))

        await office.resume(world.tenant, lambda tx: schedule(jobs, tx))
        await receive(*(f"late {n}" for n in range(20)))
        await eventually(lambda: is_resumed(office), within=10)
        await receive("last")
        await eventually(lambda: handler.words_of(TWO)[-1:] == ["last"])
        await eventually(lambda: handler.words_of(ONE)[-1:] == ["last"])

    expected = [*(f"early {n}" for n in range(5)), *(f"late {n}" for n in range(20)), "last"]
    assert handler.words_of(ONE) == handler.words_of(TWO) == expected
    assert not await has_suspended(office, 1)


async def has_suspended(office: DeadLetterOffice, least: int) -> bool:
    found = await office.find(Wanted(limit=100, reason=Reason.SUSPENDED))
    return len(found) >= least


async def is_resumed(office: DeadLetterOffice) -> bool:
    return not await office.halts()


def schedule(jobs: Jobs, tx: Transaction) -> None:
    jobs.schedule(tx, RESUME, str(tx.tenant))
