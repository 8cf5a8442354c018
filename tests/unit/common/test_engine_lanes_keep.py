"""No record leaves its lane unhandled: over a broker that hands out whole keys, as Kafka does."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from common.broker.engine.retry import RetryPolicy
from common.broker.kafka.contiguous import Contiguous
from common.broker.publisher import Publisher
from common.database import Database
from common.errors import DependencyDown
from common.events import Event, encode
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import RememberingHandler, engine_of, message, running
from tests.unit.common.simulated_broker import Partitions

pytestmark = pytest.mark.usefixtures("quiet")

ANA, BIA, CAIO = "+55111", "+55222", "+55224"
"""Ana has a partition of her own."""
WORDS = ["one", "two", "three", "four"]
LONG_REST = RetryPolicy(attempts=3, first=3600, longest=3600)


class Kafka(Partitions):
    """Whole keys, and partitions that are taken away one by one."""

    def __init__(self) -> None:
        super().__init__(lambda _delivery: None)

    async def take_away(self, contact: str) -> None:
        """Take the contact's partition away, and give it back."""
        partition = sum(encode(message(contact)).key.encode()) % len(self._logs)
        assert self._revoked is not None
        self._revoking = True
        await self._revoked([f"{partition}"])
        self.commit()
        self._positions[partition] = self._committed[partition]
        self._progress[partition] = Contiguous()
        self._revoking = False


@pytest.fixture
def transport() -> Kafka:
    return Kafka()


class Failing:
    """Fails with `error` at the first attempt of what was said."""

    def __init__(self, error: Exception, *words: str) -> None:
        self._error = error
        self._words = words
        self.attempts = Counter[str]()

    async def __call__(self, event: Event[Any]) -> None:
        words = event.payload.text
        self.attempts[words] += 1
        if words in self._words and self.attempts[words] == 1:
            raise self._error


@pytest.mark.parametrize("error", [RuntimeError("once"), DependencyDown("database", "restarts")])
async def test_a_record_that_failed_is_tried_again_before_those_behind_it(
    transport: Kafka, publisher: Publisher, database: Database, error: Exception
) -> None:
    handler = RememberingHandler(Failing(error, *WORDS))
    for words in WORDS:
        await publisher.publish(message(ANA, words))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: len(handler.finished) == len(WORDS))

    assert handler.words_of(ANA) == WORDS
    assert transport.left() == 0


async def test_a_record_that_rests_takes_no_turn_from_its_tenant(
    transport: Kafka, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler(Failing(RuntimeError("once"), "one"))
    one_at_a_time = BrokerSettings(per_tenant=1)
    engine = engine_of(transport, handler, database, settings=one_at_a_time, policy=LONG_REST)
    await publisher.publish(message(ANA, "one"))
    await publisher.publish(message(ANA, "two"))

    async with running(engine):
        await eventually(lambda: handler.begun)
        for words in WORDS:
            await publisher.publish(message(BIA, words))
        await eventually(lambda: len(handler.finished) == len(WORDS))

    assert handler.words_of(BIA) == WORDS
    assert handler.words_of(ANA) == []


async def test_records_behind_a_running_one_that_is_taken_away_come_again_in_their_order(
    transport: Kafka, publisher: Publisher, database: Database
) -> None:
    go_on = asyncio.Event()
    handler = RememberingHandler(lambda _event: waited_for(go_on))
    for words in WORDS:
        await publisher.publish(message(ANA, words))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: handler.running)
        asyncio.get_running_loop().call_soon(go_on.set)
        await transport.rebalance()
        await eventually(lambda: len(handler.finished) == len(WORDS))

    assert handler.words_of(ANA) == WORDS
    assert transport.left() == 0


async def test_a_resting_record_that_is_taken_away_comes_again_before_those_behind_it(
    transport: Kafka, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler(Failing(RuntimeError("once"), "one"))
    for words in WORDS:
        await publisher.publish(message(ANA, words))

    async with running(engine_of(transport, handler, database, policy=LONG_REST)):
        await eventually(lambda: handler.begun and not handler.running)
        await transport.rebalance()
        await eventually(lambda: len(handler.finished) == len(WORDS))

    assert handler.words_of(ANA) == WORDS


async def test_what_waits_loses_nothing_when_another_partition_is_taken_away(
    transport: Kafka, publisher: Publisher, database: Database
) -> None:
    away = True

    async def need_it(_event: Event[Any]) -> None:
        if away:
            raise DependencyDown("database", "restarts")

    handler = RememberingHandler(need_it)
    for contact, words in [(CAIO, "one"), (ANA, "one"), *((BIA, words) for words in WORDS)]:
        await publisher.publish(message(contact, words))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: {contact for contact, _ in handler.begun} == {ANA, BIA, CAIO})
        await eventually(lambda: not handler.running)
        await transport.take_away(ANA)
        away = False
        await eventually(lambda: len(handler.finished) == 2 + len(WORDS))

    assert handler.words_of(BIA) == WORDS
    assert handler.words_of(CAIO) == handler.words_of(ANA) == ["one"]


async def waited_for(event: asyncio.Event) -> None:
    await event.wait()
