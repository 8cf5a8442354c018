"""Jobs: a claim among many, jobs a second beside pgqueuer, an idle worker, and fairness."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import jobs_claims as claims
from tests.benchmarks import jobs_rates as rates
from tests.benchmarks.figures import Figure, bars, keep, reported
from tests.benchmarks.jobs_rates import Rates
from tests.contract.jobs.foreign_claims import SLOTS, WAITING, foreign_claims
from tests.contract.jobs.table import JobsTable, postgres_table, sqlite_table
from tests.servers import postgres
from tests.servers.postgres import PostgresServer

ROUNDS, MOST_PROCESSES = 3, 4
IDLE_GOAL = 1.0  # percent of a core


def main() -> None:
    """Measure, print, and write the figures down."""
    with TemporaryDirectory(prefix="recado-bench-") as folder, postgres.postgres() as server:
        figures, text = asyncio.run(_measure(server, Path(folder)))
    keep("jobs", figures, text)


async def _measure(server: PostgresServer, folder: Path) -> tuple[list[Figure], str]:
    tables = {
        "postgres": await postgres_table(await server.create_database()),
        "sqlite": await sqlite_table(f"{folder}/jobs.db"),
    }
    figures: list[Figure] = []
    plots: list[str] = []
    for name, table in tables.items():
        await rates.prepare(table)
        figures.append(_idle(name, await rates.idle(table, folder)))
        by_case, by_size = await claims.claim_times(table), await claims.growth(table)
        figures += [_claim(name, case, value) for case, value in by_case.items()]
        plots += [
            bars(f"One claim of {claims.WANTED} on {name}, by how many wait", "ms", by_size),
        ]
    figures += await _beside_pgqueuer(server, tables, folder)
    late = await rates.lateness(tables["postgres"], folder)
    figures += [
        reported("job_late_p50_ms", late[len(late) // 2] * 1000, unit="ms"),
        reported("job_late_worst_ms", late[-1] * 1000, unit="ms"),
    ]
    foreign = await _foreign(server, folder)
    plots.append(bars("Foreign claims before one's own, at worst, by processes", "claims", foreign))
    return figures, "\n\n".join([_explanation(len(late)), *plots])


async def _beside_pgqueuer(
    server: PostgresServer, tables: dict[str, JobsTable], folder: Path
) -> list[Figure]:
    on_postgres, on_sqlite, peer, bare = Rates(), Rates(), Rates(), Rates()
    for _ in range(ROUNDS):
        await rates.ours(tables["postgres"], folder, on_postgres)
        await rates.pgqueuer(server, folder, "sqlalchemy", peer)
        await rates.pgqueuer(server, folder, "asyncpg", bare)
        await rates.ours(tables["sqlite"], folder, on_sqlite)
    return [
        _beside("jobs_vs_pgqueuer", on_postgres.rate, peer.rate, goal=1.0),
        _beside("jobs_vs_pgqueuer_asyncpg", on_postgres.rate, bare.rate),
        _cpu_beside("job_cpu_us", on_postgres.microseconds, peer.microseconds),
        _cpu_beside("job_cpu_vs_asyncpg_us", on_postgres.microseconds, bare.microseconds),
        reported("jobs_sqlite", on_sqlite.rate, unit="1/s"),
        reported("job_cpu_sqlite_us", on_sqlite.microseconds, unit="µs"),
    ]


async def _foreign(server: PostgresServer, folder: Path) -> dict[str, float]:
    worst: dict[str, float] = {}
    for processes in range(1, MOST_PROCESSES + 1):
        table = await postgres_table(await server.create_database())
        counts = await foreign_claims(table, folder, processes=processes, rounds=20)
        worst[str(processes)] = max(counts)
    return worst


def _beside(name: str, rate: float, theirs: float, goal: float | None = None) -> Figure:
    ratio = rate / theirs
    return Figure(name, rate, "1/s", theirs, ratio, goal, None if goal is None else ratio >= goal)


def _cpu_beside(name: str, ours: float, theirs: float) -> Figure:
    return Figure(name, ours, "µs", theirs, theirs / ours)


def _idle(name: str, percent: float) -> Figure:
    met = percent < IDLE_GOAL
    return Figure(f"idle_percent_{name}", percent, "%", goal=IDLE_GOAL, met=met)


def _claim(name: str, case: str, milliseconds: float) -> Figure:
    return reported(f"claim_{name}_{case.replace(' ', '_')}_ms", milliseconds, unit="ms")


def _explanation(timed: int) -> str:
    return (
        f"A claim takes {claims.WANTED} of {claims.MOST:,} jobs of {claims.TENANTS:,} tenants; "
        f"medians of {claims.CLAIMS}. Rates are those of one process with {rates.AT_ONCE} jobs at "
        f"a time, medians of {ROUNDS} rounds in turns on the same server. A job of both contenders "
        "is one transaction of its tenant that writes one row, through SQLAlchemy, or through the "
        "driver alone in `…_asyncpg`. Ours also ends in it; pgqueuer's end later, in batches, so "
        "that one can be done and run again. `idle_percent_…` is a "
        "process of four kinds with nothing to do; its goal is to stay below. `job_late_…` is from "
        f"due to taken, of {timed:,} jobs that fell due 10 ms apart, by two processes that did not "
        f"schedule them. Foreign claims: {WAITING:,} jobs of one tenant wait, processes have "
        f"{SLOTS} slots each; at most 3 for each process is the promise."
    )
