"""pgqueuer: `fill URL JOBS` has jobs wait, `sqlalchemy URL N` and `asyncpg URL N` run N at a time.

A handler does what that of `tests.contract.jobs.worker` does, one transaction of a tenant that
writes one row, through what it is named after; ours goes through SQLAlchemy. pgqueuer ends jobs
afterwards, in batches and transactions of its own.
"""

# pyright: reportMissingImports=false, reportUntypedFunctionDecorator=false, reportUnknownParameterType=false
# it is installed in an environment of its own

import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from pgqueuer.models import Job
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

Write = Callable[[str, str, int], Awaitable[None]]
"""Writes the row of a tenant's key and job."""


@asynccontextmanager
async def through_asyncpg(url: str) -> AsyncGenerator[Write]:
    """Write with the driver alone."""
    async with asyncpg.create_pool(url, min_size=10, max_size=10) as pool:

        async def write(tenant: str, key: str, job: int) -> None:
            async with pool.acquire() as one, one.transaction():
                await one.execute("select set_config('app.tenant', $1, true)", tenant)
                await one.execute("insert into worked values ($1, $2, $3, 0)", tenant, key, job)

        yield write


@asynccontextmanager
async def through_sqlalchemy(url: str) -> AsyncGenerator[Write]:
    """Write as a product does that has its statements in SQLAlchemy."""
    address = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, pool_size=10, max_overflow=0)
    set_tenant = text("select set_config('app.tenant', :tenant, true)")
    note = text("insert into worked values (:tenant, :key, :job, 0)")

    async def write(tenant: str, key: str, job: int) -> None:
        async with engine.begin() as one:
            await one.execute(set_tenant, {"tenant": tenant})
            await one.execute(note, {"tenant": tenant, "key": key, "job": job})

    yield write
    await engine.dispose()


async def work(url: str, at_once: int, write: Write) -> None:
    """Run what waits, and what comes."""
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @queue.entrypoint("turn", concurrency_limit=at_once)
    async def turn(job: Job) -> None:
        named = json.loads(job.payload or b"{}")
        await write(named["tenant"], named["key"], int(job.id))

    await queue.run(batch_size=at_once)


async def fill(url: str, jobs: int) -> None:
    """Install pgqueuer's tables, and have so many jobs of a hundred tenants wait."""
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    named = [json.dumps({"tenant": str(n % 100), "key": str(n)}).encode() for n in range(jobs)]
    await queries.enqueue(["turn"] * jobs, named, [0] * jobs)
    await connection.execute("vacuum analyze pgqueuer")
    await connection.close()


async def main(verb: str, url: str, number: int) -> None:
    """Do what the command line says."""
    if verb == "fill":
        await fill(url, number)
        return
    through = through_asyncpg if verb == "asyncpg" else through_sqlalchemy
    async with through(url) as write:
        await work(url, number, write)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
