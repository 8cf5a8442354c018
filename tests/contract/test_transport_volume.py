"""A hundred thousand records: none is lost, and none comes twice where nothing goes wrong."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.database import open_database
from common.events import Event
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import create_dead_letter_table, engine_of, message, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KEYS, AT_ONCE = 1000, 500
MANY, ON_DISK = 100_000, 10_000
"""Each record of a SQLite file is two transactions, each synced."""


@pytest.fixture(autouse=True)
def _few_words() -> Iterator[None]:
    """As a service in production, which says nothing of a record that it handled."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("scheme", "records"),
    [
        ("memory", MANY),
        ("sqlite", ON_DISK),
        pytest.param("kafka", MANY, marks=pytest.mark.kafka),
    ],
)
async def test_nothing_of_many_records_is_lost_or_repeated_or_overtaken(
    request: pytest.FixtureRequest, tmp_path: Path, scheme: str, records: int
) -> None:
    handled: dict[str, list[int]] = {}

    async def note(event: Event[Any]) -> None:
        handled.setdefault(event.payload.contact, []).append(int(event.payload.text))

    rows = f"sqlite:///{tmp_path / 'recado.db'}"
    async with (
        open_transport(settings_of(scheme, request, tmp_path)) as transport,
        open_database(rows, pool_size=1, busy_seconds=5.0) as database,
    ):
        await create_dead_letter_table(database)
        engine = engine_of(transport, note, database, concurrency=64, drain_seconds=20.0)
        publisher = Publisher(transport, Metrics(CollectorRegistry()))
        async with running(engine):
            for first in range(0, records, AT_ONCE):
                numbers = range(first, first + AT_ONCE)
                events = (message(f"+{each % KEYS}", f"{each}") for each in numbers)
                await asyncio.gather(*(publisher.publish(event) for event in events))
            await eventually(lambda: count(handled) >= records, within=300)

    times = Counter(number for numbers in handled.values() for number in numbers)
    assert times == Counter(range(records))
    assert all(numbers == sorted(numbers) for numbers in handled.values())


def settings_of(scheme: str, request: pytest.FixtureRequest, folder: Path) -> BrokerSettings:
    if scheme == "kafka":
        cluster = request.getfixturevalue("kafka_server")
        return BrokerSettings(url=f"kafka://{cluster.bootstrap}/{new_id()}", partitions=6)
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{folder / 'broker.db'}"}
    return BrokerSettings(url=urls[scheme])


def count(handled: dict[str, list[int]]) -> int:
    return sum(map(len, handled.values()))
