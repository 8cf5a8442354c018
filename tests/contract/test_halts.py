"""What stands still until an operator says otherwise, on SQLite and on Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import text

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.office import DeadLetterOffice
from common.database import Database, Transaction
from common.ids import Ulid, new_id
from common.testing.switched_database import SwitchedDatabase
from tests.contract.processor_world import BOTH, World, open_world

T = TypeVar("T")


class LateAnswers(SwitchedDatabase):
    """Keeps what it read to itself for a while."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read_one, self.may_answer = asyncio.Event(), asyncio.Event()

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        answer = await super().read(work, tenant=tenant)
        self.read_one.set()
        await self.may_answer.wait()
        return answer


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
async def halts(world: World) -> Halts:
    return Halts("processor", world.database)


async def test_a_tenant_is_suspended_at_once_for_who_did_it_and_soon_for_others(
    world: World, halts: Halts
) -> None:
    other = Halts("processor", world.database)
    before = [await each.is_suspended(world.tenant) for each in (halts, other)]

    await halts.suspend(world.tenant, "five in a row failed")
    meanwhile = [await each.is_suspended(world.tenant) for each in (halts, other)]
    other.forget()
    after = await other.is_suspended(world.tenant)

    assert before == [False, False]
    assert meanwhile == [True, False], "the other believes for a while what it read"
    assert after
    assert not await halts.is_suspended(new_id())


async def test_what_was_read_before_a_suspension_is_not_believed_after_it(world: World) -> None:
    late = LateAnswers(world.database)
    halts = Halts("processor", late)
    reading = asyncio.create_task(halts.is_suspended(world.tenant))
    await late.read_one.wait()

    await halts.suspend(world.tenant, "five in a row failed")
    late.may_answer.set()

    assert not await reading
    assert await halts.is_suspended(world.tenant)


async def test_that_a_tenant_is_free_is_known_once_it_was_read_and_while_that_is_fresh(
    world: World,
) -> None:
    lasting = Halts("processor", world.database, fresh_seconds=3600)
    fleeting = Halts("processor", world.database, fresh_seconds=0)

    before = lasting.is_known_free(world.tenant)
    for halts in (lasting, fleeting):
        await halts.is_suspended(world.tenant)
    after = [halts.is_known_free(world.tenant) for halts in (lasting, fleeting)]
    await lasting.suspend(world.tenant, "five in a row failed")
    unread = lasting.is_known_free(world.tenant)
    await lasting.is_suspended(world.tenant)

    assert not before
    assert after == [True, False]
    assert not unread
    assert not lasting.is_known_free(world.tenant)


async def test_a_suspension_keeps_its_first_reason(world: World, halts: Halts) -> None:
    for reason in ("five in a row failed", "another"):
        await halts.suspend(world.tenant, reason)

    (halt,) = await DeadLetterOffice("processor", world.owner, operator="ana").halts()
    assert (halt.tenant, halt.reason) == (world.tenant, "five in a row failed")


async def test_a_halted_consumer_stands_in_every_process_until_it_is_resumed(
    world: World, halts: Halts
) -> None:
    office = DeadLetterOffice("processor", world.owner, operator="ana")

    await halts.open_circuit("nothing can be decoded")
    await halts.open_circuit("another")
    halted = await Halts("processor", world.database).circuit()
    resumed = await office.resume_consumer()

    assert (halted, resumed) == ("nothing can be decoded", True)
    assert await halts.circuit() is None
    assert not await office.resume_consumer()


async def test_a_halted_consumer_is_no_suspended_tenant(world: World, halts: Halts) -> None:
    await halts.open_circuit("nothing can be decoded")

    assert not await halts.is_suspended(world.tenant)


@pytest.mark.parametrize("world", BOTH[1:], indirect=True)
async def test_one_tenant_sees_no_other_s_suspension(world: World, halts: Halts) -> None:
    await halts.suspend(world.tenant, "five in a row failed")
    rows = text("select count(*) from processor_halts")

    seen = [
        await world.database.read(lambda tx: tx.execute(rows).scalar_one(), tenant=tenant)
        for tenant in (world.tenant, new_id(), None)
    ]

    assert seen == [1, 0, 0]
