"""How long one claim takes among many jobs that wait, in good cases and in bad ones."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.contract.jobs.table import JobsTable, Process

TENANTS, WANTED, CLAIMS = 1_000, 16, 21
MOST = 100_000

_POSTGRES = """
insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)
select lpad(to_hex(t), 32, '0')::uuid, 'turn', 'c' || n, {due}, now()
from generate_series(1, {tenants}) t, generate_series(1, {each}) n
"""
_SQLITE = """
with recursive
    t(t) as (select 1 union all select t + 1 from t where t < {tenants}),
    n(n) as (select 1 union all select n + 1 from n where n < {each})
insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)
select printf('%032x', t), 'turn', 'c' || n, {due}, 0 from t, n
"""


@dataclass(frozen=True)
class Words:
    """What the databases spell differently."""

    fill: str
    past: str
    future: str
    settle: str


_WORDS: Mapping[bool, Words] = {
    False: Words(
        _POSTGRES, "now() - interval '1 hour'", "'2100-01-01'", "vacuum analyze shop_jobs"
    ),
    True: Words(_SQLITE, "1", "4102444800000000", "analyze"),
}


async def claim_times(table: JobsTable) -> dict[str, float]:
    """Milliseconds of a claim of 16 among 100,000 jobs of 1,000 tenants, by case."""
    words = _WORDS[table.is_sqlite]
    one_due = f"update shop_jobs set token = null, due_at = {words.past} where key = 'c7'"
    last_tenant = "select tenant_id from shop_jobs order by tenant_id desc limit 1"
    of_one = f"{one_due} and tenant_id = ({last_tenant})"
    times: dict[str, float] = {}
    await fill(table, MOST, words.past)
    times["all due"] = await _claims(table)
    await _take_all(table)
    times["every tenant at its cap"] = await _claims(table)
    await fill(table, MOST, words.future)
    times["nothing due"] = await _claims(table)
    times["one due among many"] = await _claims(table, before_each=of_one)
    times["mostly future rows"] = await _claims(table, before_each=one_due)
    return times


async def growth(table: JobsTable) -> dict[str, float]:
    """Milliseconds of a claim of 16, all due, by how many jobs wait."""
    times: dict[str, float] = {}
    for waiting in (1_000, 10_000, MOST):
        await fill(table, waiting, _WORDS[table.is_sqlite].past)
        times[f"{waiting:,}"] = await _claims(table)
    return times


async def fill(table: JobsTable, waiting: int, due: str = "") -> None:
    """Replace all jobs by so many, of up to 1,000 tenants."""
    words = _WORDS[table.is_sqlite]
    tenants = min(TENANTS, waiting // 10)
    filling = words.fill.format(tenants=tenants, each=waiting // tenants, due=due or words.past)
    await table.execute("delete from shop_jobs", filling)
    await table.execute(words.settle)


async def _claims(table: JobsTable, *, before_each: str | None = None) -> float:
    times: list[float] = []
    async with table.opened() as database:
        process = Process(database)
        await process.claim(WANTED)  # connects
        for _ in range(CLAIMS):
            if before_each is not None:
                await table.execute(before_each)
            began = time.perf_counter()
            await process.claim(WANTED)
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def _take_all(table: JobsTable) -> None:
    async with table.opened() as database:
        while await Process(database).claim(1_000):
            pass
    await table.execute(_WORDS[table.is_sqlite].settle)
