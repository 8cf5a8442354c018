"""A command that nobody can keep becomes a dead letter, and the processor is told why."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.limits import Limits
from common.broker.memory import MemoryTransport
from common.events import DELIVERIES_REPORTED, MESSAGES_SEND, Event, SendFailed, Unanswered, encode
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import IMPATIENT, running
from notifier import job_kinds
from notifier.give_up_command import GiveUpCommand
from tests.contract.notifier_world import Process, World, new_world
from tests.servers.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        with structlog.testing.capture_logs():
            yield world


def consumer_of(world: World, process: Process, transport: MemoryTransport) -> Engine:
    async def fail(_command: Event[Any]) -> None:
        raise RuntimeError("a mistake of ours")

    return Engine(
        transport,
        "notifier",
        {MESSAGES_SEND: fail, DELIVERIES_REPORTED: fail},
        dead_letters=DeadLetters("notifier", world.database),
        halts=Halts("notifier", world.database),
        policy=IMPATIENT,
        limits=Limits.of(BrokerSettings(), drain_seconds=5.0),
        conditions=Conditions.of(BrokerSettings()),
        metrics=Metrics(CollectorRegistry()),
        given_up={MESSAGES_SEND: GiveUpCommand(process.jobs, world.outbox)},
    )


async def test_a_command_that_is_given_up_is_told_to_the_processor(world: World) -> None:
    process, transport, command = world.process(), MemoryTransport(), world.send()
    await transport.publish(encode(command))

    async with running(consumer_of(world, process, transport)):
        (told,) = await eventually(world.told)

    assert isinstance(told, SendFailed)
    assert (told.reason, told.message) == (Unanswered.DEAD_LETTERED, command.payload.message)
    assert (told.part, told.ordinal, told.parts) == (command.payload.message, 0, 1)
    publish = await process.claim(job_kinds.PUBLISH)
    assert publish is not None
    assert publish.correlation == command.correlation


async def test_a_command_whose_parts_are_stored_after_all_is_not_told_to_have_failed(
    world: World,
) -> None:
    process, command = world.process(), world.send()
    give_up = GiveUpCommand(process.jobs, world.outbox)
    await process.accept(command)

    await world.database.transaction(lambda tx: give_up(tx, command), tenant=command.tenant)

    assert await world.told() == []
