"""How much a consumer takes upon itself: of a tenant, ahead, and when it is hurried."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from common.broker.engine.retry import RetryPolicy
from common.broker.memory import MemorySubscription, MemoryTransport
from common.broker.publisher import Publisher
from common.broker.transport import Delivery, Revoked
from common.database import Database
from common.errors import RetryAfter
from common.events import Event, Topic, encode
from common.ids import Ulid, new_id
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    dead_letters_in,
    engine_of,
    message,
    running,
)
from tests.contract.watched_transport import WatchedTransport

pytestmark = pytest.mark.usefixtures("quiet")

LOUD, QUIET = new_id(), new_id()


async def test_one_tenant_s_slow_keys_leave_slots_for_another(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    at_work = Counter[Ulid]()
    most = Counter[Ulid]()

    async def be_slow_if_loud(event: Event[Any]) -> None:
        at_work[event.tenant] += 1
        most[event.tenant] = max(most[event.tenant], at_work[event.tenant])
        if event.tenant == LOUD:
            await done.wait()
        at_work[event.tenant] -= 1

    done, handler = asyncio.Event(), RememberingHandler(be_slow_if_loud)
    settings = BrokerSettings(concurrency=8, per_tenant=3)
    for number in range(50):
        await publisher.publish(message(f"+loud{number}", tenant=LOUD))
    await publisher.publish(message("+quiet", tenant=QUIET))

    async with running(engine_of(transport, handler, database, settings=settings)):
        await eventually(lambda: handler.words_of("+quiet") and at_work[LOUD] == 3)
        done.set()
        await eventually(lambda: len(handler.finished) == 51)

    assert most[LOUD] == 3


async def test_no_more_bytes_are_read_ahead_than_the_window_holds(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    handler, watched = RememberingHandler(), WatchedTransport(transport)
    settings = BrokerSettings(window_bytes=1_000_000)
    for number in range(60):
        await publisher.publish(message(f"+{number}", "x" * 100_000))

    async with running(engine_of(watched, handler, database, settings=settings)):
        await eventually(lambda: len(handler.finished) == 60)

    one_more = 101_000
    assert 500_000 < watched.most_bytes <= 1_000_000 + one_more


async def test_what_an_exception_asks_for_is_waited_for(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    begun: list[float] = []

    async def be_busy_once(_event: Event[Any]) -> None:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) == 1:
            raise RetryAfter("the other side is busy", 0.4)

    handler = RememberingHandler(be_busy_once)
    policy = RetryPolicy(attempts=3, first=0.001, longest=0.001)
    await publisher.publish(message("+1"))

    async with running(engine_of(transport, handler, database, policy=policy)):
        await eventually(lambda: handler.finished)

    assert begun[1] - begun[0] >= 0.4


async def test_what_an_exception_asks_for_ends_with_the_budget(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    async def be_busy(_event: Event[Any]) -> None:
        raise RetryAfter("the other side is busy", 3600.0)

    policy = RetryPolicy(attempts=9, first=0.001, longest=0.001, budget=0.2)
    handler = RememberingHandler(be_busy)
    await publisher.publish(message("+1"))

    async with running(engine_of(transport, handler, database, policy=policy)):
        await eventually(lambda: dead_letters_in(database))
    (letter,) = await dead_letters_in(database)

    assert (letter["reason"], letter["attempts"]) == ("retries used up", 2)


async def test_a_hurried_consumer_acknowledges_what_is_finished_and_lets_go_of_the_rest(
    database: Database,
) -> None:
    async def hang_on_one(event: Event[Any]) -> None:
        if event.payload.contact == "+hangs":
            await asyncio.Event().wait()

    first, second = RememberingHandler(hang_on_one), RememberingHandler()
    transport = Unheard()
    for contact in ("+hangs", "+ends"):
        await transport.publish(encode(message(contact)))

    async with running(engine_of(transport, first, database)) as task:
        await eventually(lambda: len(first.begun) == 2 and transport.asked)
        task.cancel()
    async with running(engine_of(transport, second, database)):
        await eventually(lambda: second.finished)

    assert [contact for contact, _ in second.begun] == ["+hangs"]


class Unheard(MemoryTransport):
    """Does not answer the first time that it is told what is finished."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[MemorySubscription]:
        async with super().subscribe(group, topics, revoked) as subscription:
            acknowledge = subscription.acknowledge

            async def answer_the_second_time(deliveries: Sequence[Delivery]) -> None:
                if not self.asked:
                    self.asked = True
                    await asyncio.Event().wait()
                await acknowledge(deliveries)

            subscription.acknowledge = answer_the_second_time
            yield subscription
