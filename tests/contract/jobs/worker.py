"""`python -m tests.contract.jobs.worker URL SETTINGS`: a process that runs jobs until SIGTERM.

`SETTINGS` are `JobSettings` as a JSON object; all `kinds` are run alike. Each job writes one row of
its own in its last transaction: `worked (tenant, key, token, late)`.
"""

import asyncio
import json
import logging
import signal
import sys
from datetime import timedelta
from pathlib import Path

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from common.database import Database, Transaction, open_database
from common.jobs import Job, JobRunner, Jobs
from common.observability.metrics import Metrics
from common.settings import JobSettings
from tests.servers.processes import Server

WORKED = """
create table worked (
    tenant text not null, key text not null, token bigint not null, late double precision not null)
"""
LET_WORK = "grant all on worked to recado_serving"
_NOTE = text("insert into worked values (:tenant, :key, :token, :late)")


def worker(url: str, log: Path, **settings: object) -> Server:
    """Start one."""
    order = json.dumps({"kinds": "turn"} | settings)
    return Server([sys.executable, "-m", "tests.contract.jobs.worker", url, order], log=log)


async def main(url: str, settings: JobSettings) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    stop, kinds = asyncio.Event(), settings.kinds or ()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_database(url, pool_size=10, busy_seconds=5.0) as database:
        jobs = Jobs(
            "shop",
            database,
            kinds,
            lease=timedelta(seconds=settings.lease_seconds),
            per_tenant=settings.per_tenant,
        )
        handlers = dict.fromkeys(kinds, Work(database, jobs))
        await JobRunner(jobs, handlers, settings, Metrics(CollectorRegistry())).run(stop)


class Work:
    """One transaction that writes a row and ends the job."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def __call__(self, job: Job) -> None:
        row = {"tenant": str(job.tenant), "key": job.key, "token": job.token, "late": job.late}

        def work(tx: Transaction) -> None:
            tx.execute(_NOTE, row)
            self._jobs.done(tx, job)

        await self._database.transaction(work, tenant=job.tenant)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], JobSettings.model_validate_json(sys.argv[2])))
