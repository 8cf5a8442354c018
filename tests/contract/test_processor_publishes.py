"""What is kept for the broker leaves it, or says why it never will; on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from common.errors import PermanentError
from common.events import Record
from common.ids import parse_id
from processor.job_kinds import PUBLISH
from tests.contract.broken_transport import BrokenTransport
from tests.contract.processor_world import BOTH, CONTACT, SENDER, World, open_world


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


async def answered(world: World, *texts: str) -> None:
    for words in texts:
        await world.receive(words)
        await world.run_turns()


def refuse_the_first(record: Record) -> PermanentError | None:
    return PermanentError("too large") if b"first" in record.value else None


async def test_a_reply_that_no_broker_takes_is_dead_lettered_and_the_next_goes_on(
    world: World,
) -> None:
    world = replace(world, transport=BrokenTransport(refuse_the_first))
    await answered(world, "first", "second")

    await world.publish_all()

    assert [event.payload.text for event in world.published()] == ["second"]
    assert await world.outcomes() == ["dead-lettered", "replied"]
    assert await dead_letters(world) == ["PermanentError: too large"]
    assert await world.claim(PUBLISH) == []


async def test_the_job_is_known_by_an_id_and_not_by_addresses(world: World) -> None:
    await answered(world, "oi")

    (job,) = await world.claim(PUBLISH)

    assert parse_id(job.key)
    assert not any(address in job.key for address in (CONTACT, SENDER))


async def dead_letters(world: World) -> list[str]:
    rows = text("select error_class, detail from processor_dead_letters")
    return await world.database.read(
        lambda tx: [f"{row.error_class}: {row.detail}" for row in tx.execute(rows)],
        tenant=world.tenant,
    )
