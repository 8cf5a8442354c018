"""A tenant's records wait in their order, and are handled in it, on SQLite and on Postgres."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.broker.dead_letters.halts import HaltState
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.resume import ResumeTenant
from common.errors import PermanentError
from common.jobs import LeaseLostError
from common.testing import eventually
from tests.contract.processor_world import BOTH, World, open_world
from tests.contract.waiting_records import Waiting, letter_of, suspended


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
async def waiting(world: World) -> Waiting:
    return await suspended(world)


async def test_a_record_waits_for_no_tenant_that_goes_on(world: World) -> None:
    letters = DeadLetters("processor", world.database)

    assert not await letters.record_suspended(letter_of("oi", tenant=world.tenant))
    assert await world.database.read(lambda tx: letters.waiting(tx, 9), tenant=world.tenant) == []


async def test_what_waited_is_handled_in_its_order_and_then_the_tenant_goes_on(
    waiting: Waiting,
) -> None:
    words = [f"{n}" for n in range(7)]
    for each in words:
        assert await waiting.suspend(each)

    await waiting.resume()
    await waiting.run_all()

    assert waiting.handled == words
    assert await waiting.office.halts() == []
    assert await waiting.reasons() == []
    assert await waiting.actions() == [("resume", "ana")]


async def test_a_newer_record_waits_until_all_before_it_are_handled(waiting: Waiting) -> None:
    await waiting.suspend("first")
    await waiting.resume()
    (job,) = await waiting.claim()

    waits = await waiting.suspend("second")
    (resuming,) = await waiting.office.halts()
    await waiting.run(job)
    await waiting.run_all()

    assert waits
    assert resuming.state is HaltState.RESUMING
    assert waiting.handled == ["first", "second"]


async def test_no_record_overtakes_those_that_waited_however_it_falls(waiting: Waiting) -> None:
    words = [f"{n}" for n in range(120)]
    await waiting.suspend("begun")
    await waiting.resume()

    async def consume() -> None:
        for each in words:
            if not await waiting.suspend(each):
                waiting.handled.append(each)

    async with asyncio.TaskGroup() as group:
        consuming = group.create_task(consume())
        while not consuming.done() or await waiting.reasons():
            await waiting.run_all()
            await asyncio.sleep(0.005)

    assert waiting.handled == ["begun", *words]
    assert await waiting.office.halts() == []


@pytest.mark.parametrize("world", BOTH[1:], indirect=True)
async def test_a_suspension_is_not_lifted_over_a_record_that_is_being_added(
    waiting: Waiting,
) -> None:
    letter = letter_of("late", tenant=waiting.world.tenant)
    await waiting.resume()
    (job,) = await waiting.claim()

    async with asyncio.TaskGroup() as group:
        group.create_task(waiting.hold_up(letter))
        await eventually(lambda: waiting.count_sessions("query like '%pg_sleep(1)%'"))
        adding = group.create_task(waiting.letters.record_suspended(letter))
        await eventually(lambda: waiting.count_sessions("wait_event_type = 'Lock'"))
        await waiting.run(job)
    await waiting.run_all()

    assert adding.result()
    assert waiting.handled == ["late"]
    assert await waiting.reasons() == []


async def test_a_letter_that_fails_for_good_is_given_up_and_the_next_goes_on(
    waiting: Waiting,
) -> None:
    for each in ("bad", "good"):
        await waiting.suspend(each)
    waiting.raising["bad"] = PermanentError("no such account")

    await waiting.resume()
    await waiting.run_all()

    assert (waiting.handled, waiting.given_up) == (["good"], ["bad"])
    assert waiting.counted("recado_dead_letters", reason="permanent failure") == 1
    assert waiting.counted("recado_records_handled", outcome="handled") == 1
    assert await waiting.reasons() == ["permanent failure"]
    assert await waiting.office.halts() == []


async def test_any_other_failure_is_the_job_s_and_nothing_overtakes_it(waiting: Waiting) -> None:
    for each in ("shaky", "good"):
        await waiting.suspend(each)
    waiting.raising["shaky"] = RuntimeError("not now")
    await waiting.resume()
    (job,) = await waiting.claim()

    with pytest.raises(RuntimeError, match="not now"):
        await waiting.run(job)
    handled = list(waiting.handled)
    waiting.raising.clear()
    await waiting.run(job)

    assert (handled, waiting.handled) == ([], ["shaky", "good"])


async def test_a_tenant_whose_resuming_failed_is_suspended_again(waiting: Waiting) -> None:
    await waiting.suspend("shaky")
    await waiting.resume()
    (job,) = await waiting.claim()
    resume = ResumeTenant(
        "processor", waiting.world.database, waiting.jobs, {}, waiting.world.metrics
    )

    await waiting.jobs.fail(job, "not now", resume.give_up)

    (halt,) = await waiting.office.halts()
    assert (halt.state, halt.reason) == (HaltState.SUSPENDED, "resuming it failed")
    assert await waiting.reasons() == ["suspended"]


async def test_a_process_that_lost_the_job_leaves_the_letter_to_the_next(waiting: Waiting) -> None:
    await waiting.suspend("oi")
    await waiting.resume()
    (job,) = await waiting.claim()
    job.token -= 1

    with pytest.raises(LeaseLostError):
        await waiting.run(job)

    assert await waiting.reasons() == ["suspended"]
