"""Fixtures that every test may ask for. A server that cannot be had is an error, never a skip."""

import os
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
import structlog

from common.database import Database, open_database
from common.testing.broker import create_dead_letter_table
from tests.servers import chromium, kafka, postgres
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresDatabase, PostgresServer
from tests.servers.processes import ending_on_sigterm

MARK_OF_FIXTURE = {
    "postgres_server": "postgres",
    "kafka_server": "kafka",
    "own_kafka": "kafka",
    "chromium_path": "browser",
}

# A deadline per example measures the machine, which is shared, and not the code.
hypothesis.settings.register_profile("recado", deadline=None)
hypothesis.settings.load_profile("recado")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers it asks for, so that `-m 'not kafka'` needs no care.

    Workers begin with what may take longest, so that none of them is at work alone at the end.
    """
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if mark := MARK_OF_FIXTURE.get(fixture):
                item.add_marker(mark)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_allowed_seconds, reverse=True)


def _allowed_seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return marker.args[0] if marker else 0.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A file with the consumer's own tables, for an engine under test."""
    url = f"sqlite:///{tmp_path / 'recado.db'}"
    async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
        await create_dead_letter_table(database)
        yield database


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keep the log from the terminal, of a test that reads none of it."""
    with structlog.testing.capture_logs():
        yield


@contextmanager
def once_per_run(address: str) -> Generator[None]:
    """Start servers once a run: workers of pytest-xdist must be given them, not start their own."""
    if "PYTEST_XDIST_WORKER" in os.environ and address not in os.environ:
        raise RuntimeError(
            "each worker would start a server of its own; start the servers once around the run: "
            "python -m tests.servers run -- pytest -n 2"
        )
    with ending_on_sigterm():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with once_per_run(postgres.ADDRESS), postgres.postgres(fsync=False) as server:
        yield server


@pytest.fixture
async def postgres_database(postgres_server: PostgresServer) -> AsyncIterator[PostgresDatabase]:
    """A new and empty database, removed after the test."""
    database = await postgres_server.create_database()
    yield database
    await database.drop()


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaCluster]:
    """Kafka for the whole run: tests keep apart by topics and groups of their own."""
    with once_per_run(kafka.ADDRESS), kafka.kafka() as cluster:
        yield cluster


@pytest.fixture
def own_kafka() -> Iterator[KafkaCluster]:
    """A node of the test's own, to stop, kill or hang."""
    with ending_on_sigterm(), kafka.local_kafka(mortal=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    return chromium.find_chromium()
