"""The simulator's memory: one SQLite file, so that what Twilio would know survives a kill.

All SQLite work happens in one thread that owns the connection: the event loop never waits for the
disk, and a transaction, being one function, cannot be held open across a network call.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


class Ledger:
    """Runs units of work one after the other; made by `open_ledger`."""

    def __init__(self, connection: sqlite3.Connection, writer: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._writer = writer

    async def transaction(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Make all changes of `work` durable before returning, or none if it raises.

        A caller that is cancelled meanwhile does not stop the work.
        """
        return await self._in_writer(lambda: self._commit(work))

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a `work` that only reads; it sees one state of the file."""
        return await self._in_writer(lambda: work(self._connection))

    async def _in_writer(self, step: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, step)

    def _commit(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return result


@asynccontextmanager
async def open_ledger(file: Path) -> AsyncGenerator[Ledger]:
    """Open or make the file and its folder; at the end, finish the work that was begun."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger") as writer:
        connection = await loop.run_in_executor(writer, _connect, file)
        try:
            yield Ledger(connection, writer)
        finally:
            await loop.run_in_executor(writer, connection.close)


def _connect(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript((files("simulator") / "schema.sql").read_text("utf-8"))
    return connection
