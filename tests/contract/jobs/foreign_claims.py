"""How many jobs of a busy tenant are taken between another tenant's one being due and taken."""

import signal
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from common.ids import new_id
from common.testing import eventually
from tests.contract.jobs.table import JobsTable
from tests.contract.jobs.worker import LET_WORK, WORKED, worker

SLOTS = 2
WAITING = 10_000

_BACKLOG = """
insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)
select $1, 'turn', 'c' || n, now(), now() from generate_series(1, $2::integer) n
"""
_ONE = """
insert into shop_jobs (tenant_id, kind, key, due_at, scheduled_at)
values ($1, 'turn', $2, now(), now())
"""


async def foreign_claims(
    table: JobsTable, folder: Path, *, processes: int, rounds: int
) -> list[int]:
    """Count them while `WAITING` jobs of one tenant wait, each round with one job of another.

    No cap is in the way of the busy tenant: all slots are its own until the other one comes.
    """
    async with _admin(table) as admin:
        await admin.execute(_BACKLOG, new_id().to_uuid(), WAITING)
        with ExitStack() as stack:
            for number in range(processes):
                settings = {"concurrency": SLOTS, "per_tenant": SLOTS * processes}
                started = worker(table.url, folder / f"worker-{number}.log", **settings)
                stack.callback(started.end, signal.SIGTERM)
            await eventually(lambda: _ask(admin, "select count(*) >= 100 from worked"), within=30)
            counts = [await _round(admin, f"one-{number}") for number in range(rounds)]
            left = await _ask(admin, "select count(*) from shop_jobs where token is null")
    assert left > 0, "the busy tenant had nothing left to wait for"
    return counts


async def _round(admin: asyncpg.Connection, key: str) -> int:
    async with admin.transaction():
        await admin.execute(_ONE, new_id().to_uuid(), key)
        taken_before = await _ask(admin, "select last_value from shop_jobs_token")
    token = await eventually(
        lambda: _ask(admin, "select token from worked where key = $1", key), within=30
    )
    return token - taken_before - 1


async def _ask(admin: asyncpg.Connection, query: str, *values: str) -> int:
    number: int | None = await admin.fetchval(query, *values)
    return number or 0


@asynccontextmanager
async def _admin(table: JobsTable) -> AsyncGenerator[asyncpg.Connection]:
    admin = await asyncpg.connect(table.admin_url)
    try:
        await admin.execute(f"{WORKED}; {LET_WORK}")
        yield admin
    finally:
        await admin.close()
