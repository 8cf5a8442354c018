"""One table of jobs, on SQLite and on Postgres, and two processes that share it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.jobs.table import JobsTable, Process, postgres_table, sqlite_table, started
from tests.servers.postgres import PostgresDatabase


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresDatabase | None:
    """Where the table is to be; None is a file."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_database")


@pytest.fixture
async def table(server: PostgresDatabase | None, tmp_path: Path) -> JobsTable:
    return await (sqlite_table(f"{tmp_path}/shop.db") if server is None else postgres_table(server))


@pytest.fixture
async def process(table: JobsTable) -> AsyncIterator[Process]:
    async with started(table) as process:
        yield process


@pytest.fixture
async def other(table: JobsTable) -> AsyncIterator[Process]:
    """Another process."""
    async with started(table) as process:
        yield process
