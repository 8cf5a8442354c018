"""The processor as it is put together: a message in, a command out, on both databases."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from common.events import Event, SendDelivered, encode
from common.ids import new_id
from common.runtime import Component, Health, Plumbing
from common.settings import load
from common.testing import eventually
from processor.app import make_processor
from processor.conversation.models import REPLY_DELIVERIES
from processor.settings import ProcessorSettings
from tests.contract.broken_transport import BrokenTransport
from tests.contract.processor_world import BOTH, CONTACT, World, open_world

QUICK = {
    "RECADO_ENVIRONMENT": "development",
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.05",
    "RECADO_JOBS_POLL_SECONDS": "0.05",
}


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


@pytest.fixture
def plumbing(world: World) -> Plumbing:
    health = Health(world.metrics.registry)
    return Plumbing(world.database, world.transport, world.metrics, health)


@asynccontextmanager
async def running(components: Sequence[Component]) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for component in components:
            group.create_task(component.run(stop))
        try:
            yield
        finally:
            stop.set()


@asynccontextmanager
async def processing(plumbing: Plumbing, **more: str) -> AsyncGenerator[None]:
    settings = load(ProcessorSettings, QUICK | more)
    async with make_processor(settings, plumbing) as components, running(components):
        yield


async def test_a_message_in_is_a_command_out(world: World, plumbing: Plumbing) -> None:
    message = world.message("oi, tudo bem?")

    async with processing(plumbing):
        await world.transport.publish(encode(message))
        (command,) = await eventually(world.published)

    assert command.payload.recipient == CONTACT
    assert command.correlation == message.correlation
    assert command.payload.text.startswith("Olá! Aqui é o assistente da Padaria.")
    assert await world.outcomes() == ["replied"]


async def test_news_of_a_reply_is_kept(world: World, plumbing: Plumbing) -> None:
    await world.receive("oi")
    await world.run_turns()
    reply = (await world.messages())[-1]["id"]
    delivered = SendDelivered(
        message=reply,
        sender="s",
        recipient="r",
        part=new_id(),
        ordinal=0,
        parts=1,
        at=world.message().time,
        status="delivered",
    )
    event = Event[SendDelivered].of(
        delivered, source="notifier", tenant=world.tenant, correlation=new_id()
    )

    async with processing(plumbing):
        await world.transport.publish(encode(event))
        await eventually(lambda: _knows(world, "delivered"))


async def test_it_is_ready_once_it_consumes(plumbing: Plumbing) -> None:
    async with make_processor(load(ProcessorSettings, QUICK), plumbing) as components:
        before = await plumbing.health.missing()

        async with running(components):
            await eventually(lambda: _is_ready(plumbing))

    assert before == {"processor": "not consuming"}


async def test_what_was_kept_of_a_stopped_process_is_published_by_the_next(
    world: World, plumbing: Plumbing
) -> None:
    await world.receive("oi")
    await world.run_turns()

    async with processing(plumbing):
        (command,) = await eventually(world.published)

    assert command.payload.text == "oi"


async def test_publishing_that_fails_is_tried_for_as_long_as_it_takes(
    world: World, plumbing: Plumbing
) -> None:
    mistakes = [RuntimeError("a mistake of the client")] * 12
    broken = BrokenTransport(lambda _: mistakes.pop() if mistakes else None)
    world, plumbing = replace(world, transport=broken), replace(plumbing, transport=broken)
    await world.receive("oi")
    await world.run_turns()

    async with processing(plumbing, RECADO_JOBS_RETRY_LONGEST_SECONDS="0.05"):
        (command,) = await eventually(world.published, within=20)

    assert command.payload.text == "oi"


async def test_no_text_and_no_number_is_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.receive("my secret is 4711", profile_name="Maria Madalena")
    await world.run_turns()
    await world.receive("STOP")

    logged = capsys.readouterr().out
    assert "messages settled" in logged
    assert not any(word in logged for word in ("4711", "Madalena", CONTACT, "5511999990001"))


async def _knows(world: World, status: str) -> bool:
    return [fact["status"] for fact in await world.rows(REPLY_DELIVERIES)] == [status]


async def _is_ready(plumbing: Plumbing) -> bool:
    return not await plumbing.health.missing()
