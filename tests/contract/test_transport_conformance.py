"""What the engine promises, over every transport: each runs the whole of this file."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.database import Database, open_database
from common.events import Event
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    create_dead_letter_table,
    engine_of,
    message,
    running,
)

WITHIN = 20.0  # seconds: a group of Kafka's takes its time to form


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> BrokerSettings:
    if request.param == "kafka":
        cluster = request.getfixturevalue("kafka_server")
        return BrokerSettings(url=f"kafka://{cluster.bootstrap}/{new_id()}", partitions=3)
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'broker.db'}"}
    return BrokerSettings(url=urls[request.param], lease_seconds=2.0)


@pytest.fixture
async def transport(settings: BrokerSettings) -> AsyncIterator[Transport]:
    async with open_transport(settings) as transport:
        yield transport


@pytest.fixture
def publisher(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'recado.db'}"
    async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
        await create_dead_letter_table(database)
        yield database


async def test_records_of_a_key_come_one_at_a_time_in_order_and_keys_in_parallel(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    async def take_some_time(_event: Event[Any]) -> None:
        await asyncio.sleep(random.uniform(0, 0.01))

    handler = RememberingHandler(take_some_time)
    contacts = [f"+5511{number}" for number in range(12)]
    for number in range(20):
        await asyncio.gather(*(publisher.publish(message(each, f"{number}")) for each in contacts))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: len(handler.finished) == 240, within=WITHIN)

    assert not handler.overlapped
    assert handler.most_at_once > 1
    assert all(handler.words_of(each) == [f"{n}" for n in range(20)] for each in contacts)


async def test_nothing_of_two_thousand_records_is_lost_or_repeated(
    transport: Transport, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler()
    words = [f"{number}" for number in range(2000)]

    async with running(engine_of(transport, handler, database, concurrency=64)):
        for start in range(0, 2000, 100):
            batch = (message(f"+{n}", words[n]) for n in range(start, start + 100))
            await asyncio.gather(*(publisher.publish(each) for each in batch))
        await eventually(lambda: len(handler.finished) >= 2000, within=30)

    assert sorted(words) == sorted(text for _, text in handler.finished)
