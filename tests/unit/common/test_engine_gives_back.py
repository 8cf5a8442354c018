"""What is taken away is in no hands: not handled on, not tried again, not acknowledged."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from common.broker.engine.retry import RetryPolicy
from common.broker.publisher import Publisher
from common.database import Database
from common.events import Event
from common.testing import eventually
from common.testing.broker import RememberingHandler, engine_of, message, running
from tests.unit.common.moody_broker import Moody

pytestmark = pytest.mark.usefixtures("quiet")

HELLO = ("+55111", "hello")


@pytest.fixture
async def transport() -> Moody:
    return Moody()


async def test_a_handler_that_is_cut_short_is_waited_for_while_it_tidies_up(
    transport: Moody, publisher: Publisher, database: Database
) -> None:
    async def tidy_up_at_the_end(_event: Event[Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)

    handler = RememberingHandler(tidy_up_at_the_end)
    await publisher.publish(message(*HELLO))

    async with running(engine_of(transport, handler, database, drain_seconds=0.1)):
        await eventually(lambda: handler.running)
        await transport.take_away("+55111")
        still_running = list(handler.running)

    assert still_running == []


async def test_a_handler_that_swallows_its_end_has_not_handled_its_record(
    transport: Moody, publisher: Publisher, database: Database
) -> None:
    async def swallow(_event: Event[Any]) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    swallowing, next_owner = RememberingHandler(swallow), RememberingHandler()
    await publisher.publish(message(*HELLO))

    async with running(engine_of(transport, swallowing, database, drain_seconds=0.1)):
        await eventually(lambda: swallowing.running)
    async with running(engine_of(transport, next_owner, database)):
        await eventually(lambda: next_owner.finished)

    assert next_owner.finished == [HELLO]


async def test_a_record_that_fails_while_it_is_taken_away_is_left_to_its_next_owner(
    transport: Moody, publisher: Publisher, database: Database
) -> None:
    may_fail = asyncio.Event()

    async def fail(_event: Event[Any]) -> None:
        await may_fail.wait()
        raise RuntimeError("not yet")

    handler, policy = RememberingHandler(fail), RetryPolicy(attempts=3, first=3600, longest=3600)
    await publisher.publish(message(*HELLO))

    async with running(engine_of(transport, handler, database, policy=policy, drain_seconds=60)):
        await eventually(lambda: handler.running)
        asyncio.get_running_loop().call_soon(may_fail.set)
        async with asyncio.timeout(10):  # or it is waited for as long as the drain lasts
            await transport.take_away("+55111")
        begun = list(handler.begun)

    assert begun == [HELLO]
