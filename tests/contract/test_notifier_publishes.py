"""What the notifier keeps for the broker leaves it, or becomes a dead letter; on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from structlog.testing import capture_logs

from common.broker.dead_letters.letters import DeadLetters
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.errors import PermanentError
from common.ids import parse_id
from common.observability.metrics import Metrics
from notifier.job_kinds import PUBLISH
from notifier.publish_deliveries import PublishDeliveries
from tests.contract.broken_transport import BrokenTransport
from tests.contract.notifier_world import Process, World, new_world
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        await world.permit()
        yield world


async def sent(world: World, *texts: str) -> Process:
    process = world.process()
    for words in texts:
        await process.accept(world.send(words))
    await process.work()
    return process


async def publish(world: World, process: Process, transport: Transport) -> None:
    job = await process.claim(PUBLISH)
    assert job is not None
    publisher = Publisher(transport, Metrics(CollectorRegistry()))
    dead_letters = DeadLetters("notifier", world.database)
    handle = PublishDeliveries(world.database, process.jobs, world.outbox, publisher, dead_letters)
    await handle(job)


async def test_an_update_that_no_broker_takes_is_dead_lettered_and_the_next_goes_on(
    world: World,
) -> None:
    process, refusals = await sent(world, "first", "second"), [PermanentError("too large")]
    transport = BrokenTransport(lambda _: refusals.pop() if refusals else None)

    with capture_logs() as lines:
        await publish(world, process, transport)

    assert await dead_letters(world) == ["too large"]
    assert len(transport.claim(frozenset(("deliveries.updated",)), 10)) == 1
    assert [line["log_level"] for line in lines] == ["error"]
    assert await world.told() == []


async def test_the_job_is_known_by_an_id_and_not_by_addresses(world: World) -> None:
    process = await sent(world, "oi")

    job = await process.claim(PUBLISH)

    assert job is not None
    assert str(parse_id(job.key)) == job.key


async def dead_letters(world: World) -> list[str]:
    details = text("select detail from notifier_dead_letters")
    return await world.read(lambda tx: list(tx.execute(details).scalars()))
