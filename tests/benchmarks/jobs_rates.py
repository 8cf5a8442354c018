"""Jobs a second and CPU a job of one process; what it costs while there is nothing to do."""

import asyncio
import signal
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg

from common.testing import eventually
from tests.benchmarks.jobs_claims import fill
from tests.benchmarks.peers.environments import LOCKS, python_of
from tests.benchmarks.processes import cpu_seconds
from tests.contract.jobs.table import JobsTable
from tests.contract.jobs.worker import LET_WORK, WORKED, worker
from tests.servers.postgres import PostgresServer
from tests.servers.processes import Server, run

JOBS, AT_ONCE, IDLE_SECONDS, TIMED = 3_000, 16, 60, 1_000
PATIENCE = 120.0  # seconds
_WORKED = "select count(*) from worked"
_TIMED = f"""
insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)
select lpad(to_hex(n % 100), 32, '0')::uuid, 'turn', 'c' || n,
    now() + interval '6 s' + n * interval '10 ms', now()
from generate_series(1, {TIMED}) n
"""
_PEER = str(LOCKS / "pgqueuer_worker.py")


@dataclass
class Rates:
    """What one contender did, by round."""

    jobs_a_second: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        return statistics.median(self.jobs_a_second)

    @property
    def microseconds(self) -> float:
        return statistics.median(self.cpu)

    async def watch(self, process: Server, count: Callable[[], Awaitable[int]]) -> None:
        """Measure from its first tenth to its last job."""
        began: tuple[float, float, int] | None = None
        deadline = time.monotonic() + PATIENCE
        while True:
            done = await count()
            now = time.perf_counter(), cpu_seconds(process.pid), done
            if process.ended or time.monotonic() > deadline:
                raise RuntimeError("the worker ended before its work, or never did")
            if began is None and done >= JOBS / 10:
                began = now
            if began and done >= JOBS:
                break
            await asyncio.sleep(0.05)
        seconds, cpu, jobs = (after - before for after, before in zip(now, began, strict=True))
        self.jobs_a_second.append(jobs / seconds)
        self.cpu.append(cpu / jobs * 1e6)


async def ours(table: JobsTable, folder: Path, rates: Rates) -> None:
    """Work off a hundred tenants' jobs with the settings that everybody starts with."""
    await table.execute("delete from worked", "select 1")
    await fill(table, JOBS)
    process = worker(table.url, folder / "worker.log", concurrency=AT_ONCE)
    try:
        if table.is_sqlite:
            await rates.watch(process, lambda: asyncio.to_thread(_count_in, table))
        else:
            connection = await asyncpg.connect(table.admin_url)
            await rates.watch(process, partial(_count, connection))
            await connection.close()
    finally:
        process.end(signal.SIGTERM)


async def pgqueuer(server: PostgresServer, folder: Path, through: str, rates: Rates) -> None:
    """Work off as many jobs in a new database of the same server."""
    database, python = await server.create_database(), python_of("pgqueuer")
    await asyncio.to_thread(run, [python, _PEER, "fill", database.admin_url, str(JOBS)])
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute(WORKED)
    command = [python, _PEER, through, database.admin_url, str(AT_ONCE)]
    process = Server(command, log=folder / "pgqueuer.log")
    try:
        await rates.watch(process, partial(_count, connection))
    finally:
        process.end(signal.SIGKILL)
        await connection.close()


async def prepare(table: JobsTable) -> None:
    """Make what jobs write to."""
    await table.execute(WORKED, *([] if table.is_sqlite else [LET_WORK]))


async def idle(table: JobsTable, folder: Path) -> float:
    """Percent of a core that one process of four kinds uses while nothing waits."""
    await table.execute("delete from shop_jobs", "select 1")
    process = worker(table.url, folder / "idle.log", kinds="turn,publish,timer,resume")
    try:
        await asyncio.sleep(5)  # imports, the first looks
        began, cpu = time.perf_counter(), cpu_seconds(process.pid)
        await asyncio.sleep(IDLE_SECONDS)
        return (cpu_seconds(process.pid) - cpu) / (time.perf_counter() - began) * 100
    finally:
        process.end(signal.SIGTERM)


async def lateness(table: JobsTable, folder: Path) -> list[float]:
    """Seconds from due to taken, sorted, of jobs that two processes did not schedule."""
    await table.execute("delete from worked", "delete from shop_jobs", _TIMED)
    workers = [worker(table.url, folder / f"late-{number}.log") for number in range(2)]
    try:
        await eventually(lambda: _all_timed(table), within=60)
    finally:
        for process in workers:
            process.end(signal.SIGTERM)
    return [row["late"] for row in await table.execute("select late from worked order by late")]


async def _all_timed(table: JobsTable) -> bool:
    (row,) = await table.execute("select count(*) as done from worked")
    return row["done"] == TIMED


async def _count(connection: asyncpg.Connection) -> int:
    done: int | None = await connection.fetchval(_WORKED)
    return done or 0


def _count_in(table: JobsTable) -> int:
    with closing(sqlite3.connect(table.url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(_WORKED).fetchone()[0]
