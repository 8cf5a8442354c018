"""SQLite: one file, one writer thread that runs whole transactions, one reader thread beside it."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url

from common.database.failures import classified
from common.database.transaction import Transaction
from common.errors import StartError
from common.ids import Ulid

T = TypeVar("T")


class SqliteDatabase:
    """See `Database`. Processes may share the file; each waits `busy_seconds` for a lock."""

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        """Prepare the two threads; the file is opened when first used, its folder must exist."""
        path = make_url(url).database
        if not path:
            message = "RECADO_DATABASE_URL names no file; write sqlite:///path/to/file.db."
            raise StartError(message)
        self._path = Path(path)
        self._writer = _Thread(sqlite_engine(self._path, busy_seconds, writes=True), "write")
        self._reader = _Thread(sqlite_engine(self._path, busy_seconds, writes=False), "read")

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        """See `Database.transaction`; begins IMMEDIATE, so it never fails half-way for a lock."""
        return await self._writer.run(work, tenant)

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        """See `Database.read`."""
        return await self._reader.run(work, tenant)

    async def close(self) -> None:
        """Let both threads end what they do, and close the file."""
        await self._reader.close()
        await self._writer.close()


class _Thread:
    """One connection, used by one thread."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sqlite-{name}")
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Transaction], T], tenant: Ulid | None) -> T:
        loop = asyncio.get_running_loop()
        context = copy_context()  # what is logged and traced inside belongs to the caller's work

        def transact() -> tuple[T, Transaction]:
            return context.run(self._transact, work, tenant)

        result, tx = await loop.run_in_executor(self._executor, transact)
        for callback in tx.callbacks:
            callback()
        return result

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._disconnect)
        self._executor.shutdown()
        self._engine.dispose()

    def _transact(
        self, work: Callable[[Transaction], T], tenant: Ulid | None
    ) -> tuple[T, Transaction]:
        with classified("sqlite"):
            if self._connection is None or self._connection.invalidated:
                self._connection = self._engine.connect()
            with self._connection.begin():
                tx = Transaction(self._connection, tenant)
                return work(tx), tx

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


def sqlite_engine(path: Path, busy_seconds: float, *, writes: bool) -> Engine:
    """Make an engine for one file: write-ahead log, a sync at each commit, explicit BEGIN."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        hide_parameters=True,  # errors reach the log, values of rows must not
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin or commit by itself
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        connection.execute(f"pragma query_only = {'off' if writes else 'on'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("begin immediate" if writes else "begin")

    return engine
