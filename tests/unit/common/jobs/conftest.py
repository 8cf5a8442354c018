"""A process that runs jobs, on a file of the test's own, and another one beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.jobs.table import JobsTable, Process, sqlite_table, started
from tests.unit.common.jobs.shop import Shop


@pytest.fixture
async def table(tmp_path: Path) -> JobsTable:
    return await sqlite_table(f"{tmp_path}/shop.db")


@pytest.fixture
async def shop(table: JobsTable) -> AsyncIterator[Shop]:
    async with started(table) as process:
        yield Shop(process, table)


@pytest.fixture
async def other(table: JobsTable) -> AsyncIterator[Process]:
    """Another process."""
    async with started(table) as process:
        yield process
