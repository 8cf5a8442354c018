"""What is SQLite's alone: one writer at a time in all processes together."""

import sqlite3
from contextlib import closing

import pytest

from common.errors import DependencyDown
from tests.contract.jobs.table import JobsTable, Process


async def test_looking_for_jobs_needs_no_write_lock(table: JobsTable) -> None:
    async with table.opened(busy_seconds=0.01) as database:
        process = Process(database)
        await process.schedule(due_in=3600)
        with closing(sqlite3.connect(table.url.removeprefix("sqlite:///"))) as writer:
            writer.execute("begin immediate")

            assert await process.claim() == []


async def test_a_claim_while_another_process_writes_says_that_the_database_is_away(
    table: JobsTable,
) -> None:
    async with table.opened(busy_seconds=0.01) as database:
        process = Process(database)
        await process.schedule()
        with closing(sqlite3.connect(table.url.removeprefix("sqlite:///"))) as writer:
            writer.execute("begin immediate")

            with pytest.raises(DependencyDown):
                await process.claim()
