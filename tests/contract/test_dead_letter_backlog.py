"""How many dead letters there are and how old, told by a process that may not see them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common.broker.dead_letters.backlog import LetterGauges
from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.dead_letters.office import DeadLetterOffice, Wanted
from common.database import Transaction
from common.events import encode
from common.ids import Ulid, new_id
from common.testing import eventually
from common.testing.broker import running
from common.testing.switched_database import SwitchedDatabase
from processor.add_tenant import AddTenant
from tests.contract.processor_world import BOTH, World, open_world

TOPIC, PERMANENT, UNDECODABLE = "messages.received", "permanent failure", "undecodable"


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
def gauges(world: World) -> LetterGauges:
    return LetterGauges("processor", world.database, world.metrics)


async def test_letters_of_all_tenants_are_counted_by_topic_and_reason(
    world: World, gauges: LetterGauges
) -> None:
    other = new_id()
    await AddTenant(world.owner)(other, name="Another")
    for tenant in (world.tenant, other):
        await give_up(world, tenant)
    await give_up(world, None, reason=Reason.UNDECODABLE)

    async with running(gauges):
        await eventually(lambda: shown(world, "kept", PERMANENT) == 2)

    assert shown(world, "kept", UNDECODABLE) == 1


async def test_the_oldest_of_them_says_how_long_somebody_was_needed(
    world: World, gauges: LetterGauges
) -> None:
    for hours in (3, 1, 2):
        await give_up(world, world.tenant, age=timedelta(hours=hours))

    async with running(gauges):
        await eventually(lambda: shown(world, "age_seconds", PERMANENT))

    assert shown(world, "age_seconds", PERMANENT) == pytest.approx(3 * 3600, abs=60)


async def test_what_an_operator_ended_counts_no_more(world: World, gauges: LetterGauges) -> None:
    office = DeadLetterOffice("processor", world.owner, operator="ana")
    await give_up(world, world.tenant)
    async with running(gauges):
        await eventually(lambda: shown(world, "kept", PERMANENT) == 1)
    for stored in await office.find(Wanted(limit=1)):
        await office.discard(stored)

    async with running(gauges):
        await eventually(lambda: shown(world, "kept", PERMANENT) == 0)

    assert shown(world, "age_seconds", PERMANENT) == 0


async def test_a_database_that_is_away_ends_nothing(world: World) -> None:
    switched = SwitchedDatabase(world.database)
    switched.away = True

    async with running(LetterGauges("processor", switched, world.metrics)) as task:
        await eventually(lambda: switched.reads)

        assert not task.done()


@pytest.mark.parametrize("world", BOTH[1:], indirect=True)
async def test_the_door_shows_numbers_and_a_time_only(world: World) -> None:
    await give_up(world, world.tenant)

    door = text("select * from processor_dead_letters_backlog()")
    shown = await world.database.read(lambda tx: set(tx.execute(door).keys()))

    assert shown == {"topic", "reason", "kept", "oldest"}


@pytest.mark.parametrize("world", BOTH[1:], indirect=True)
async def test_who_is_behind_the_doors_sees_no_content(world: World) -> None:
    def look(tx: Transaction) -> None:
        tx.execute(text("set local role recado_doors"))
        tx.execute(text("select value from processor_dead_letters"))

    with pytest.raises(DBAPIError, match="permission denied for table"):
        await world.owner.read(look)


async def give_up(
    world: World,
    tenant: Ulid | None,
    *,
    reason: Reason = Reason.PERMANENT,
    age: timedelta = timedelta(0),
) -> None:
    event, at = world.message(), datetime.now(UTC) - age
    letter = DeadLetter(
        record=encode(event),
        record_id=str(event.id),
        tenant=tenant,
        reason=reason,
        error_class="RuntimeError",
        detail="no such account",
        attempts=1,
        first_failed_at=at - timedelta(days=1),
        last_failed_at=at,
    )
    await DeadLetters("processor", world.database).record(letter)


def shown(world: World, what: str, reason: str) -> float | None:
    labels = {"service": "processor", "topic": TOPIC, "reason": reason}
    return world.metrics.registry.get_sample_value(f"recado_dead_letters_{what}", labels)
