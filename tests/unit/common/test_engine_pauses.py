"""A pause ends for everybody who waits for it, whoever ends it and whatever happened meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from common.broker.engine.acknowledgements import Acknowledgements
from common.broker.engine.engine import Engine
from common.broker.engine.held import Held
from common.broker.outage import Outage
from common.broker.publisher import Publisher
from common.broker.transport import Delivery
from common.database import Database
from common.errors import DependencyDown
from common.events import Event, encode
from common.observability.metrics import Metrics
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    engine_of,
    message,
    running,
)
from tests.unit.common.moody_broker import Moody

pytestmark = pytest.mark.usefixtures("quiet")

AWAY = DependencyDown("postgres", "connection refused")


@pytest.fixture
async def transport() -> Moody:
    return Moody()


async def test_a_shard_that_is_taken_away_during_a_pause_is_read_again_when_it_is_over(
    transport: Moody, publisher: Publisher, database: Database
) -> None:
    away = True

    async def need_it(_event: Event[Any]) -> None:
        if away:
            raise AWAY

    handler = RememberingHandler(need_it)
    engine = engine_of(transport, handler, database)
    await publisher.publish(message("+55111", "hello"))

    async with running(engine):
        await eventually(lambda: is_paused(engine))
        await eventually(lambda: not transport.being_read)
        await transport.take_away("+55111")
        away = False
        await eventually(lambda: handler.finished)

    assert handler.finished == [("+55111", "hello")]


async def test_a_pause_of_the_handlers_ends_for_the_reader_although_the_broker_is_away_too(
    transport: Moody, publisher: Publisher, database: Database
) -> None:
    away = True

    async def need_it(_event: Event[Any]) -> None:
        await transport.refused.wait()
        if away:
            raise AWAY

    handler = RememberingHandler(need_it)
    await publisher.publish(message("+55111", "hello"))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: handler.begun)
        transport.trouble = DependencyDown("broker", "disk full")
        # by the third attempt the reader, which waits for less than the first two, stands still
        await eventually(lambda: len(handler.begun) == 3)
        await transport.take_away("+55111")
        away, transport.trouble = False, None
        await eventually(lambda: handler.finished)

    assert handler.finished == [("+55111", "hello")]


async def test_a_revocation_that_hands_over_what_failed_before_ends_the_pause() -> None:
    broker = BrokerAway()
    outage = Outage("processor", Metrics(CollectorRegistry()), first=3600, longest=3600)
    acknowledgements = Acknowledgements(broker, outage, lambda: None)
    delivery = Delivery(encode(message("+55111")), "1", token=1, shard="a")
    running = asyncio.create_task(acknowledgements.run(asyncio.Event()))
    acknowledgements.add(Held(delivery))
    await eventually(lambda: outage.reason)

    broker.error = None
    await acknowledgements.hand_over()
    running.cancel()

    assert broker.acknowledged == [delivery]
    assert outage.reason is None


class BrokerAway:
    """A subscription that takes no acknowledgement until it does."""

    def __init__(self) -> None:
        self.error: DependencyDown | None = DependencyDown("broker", "disk full")
        self.acknowledged: list[Delivery] = []

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        raise NotImplementedError(limit)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self.error is not None:
            raise self.error
        self.acknowledged.extend(deliveries)

    async def flush(self) -> None: ...

    def unsettled_seconds(self) -> float:
        return 0.0

    async def waiting(self) -> Mapping[str, int]:
        return {}


async def is_paused(engine: Engine) -> bool:
    return "away" in (await engine.ready() or "")
