"""A process that runs jobs with the handlers that a test gives it."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from common.jobs import GivenUp, Job, JobHandler, JobRunner, Outcome
from common.observability.metrics import Metrics
from common.settings import JobSettings
from tests.contract.jobs.table import JobsTable, Process

NEVER = 3600.0


class Shop:
    """A process that runs jobs with the handlers that a test gives it."""

    def __init__(self, process: Process, table: JobsTable) -> None:
        self.process = process
        self.table = table
        self.registry = CollectorRegistry()
        self.seen: list[Job] = []
        self.given_up: dict[str, GivenUp] = {}
        self.endless: Collection[str] = ()

    def runner(self, handlers: Mapping[str, JobHandler], **settings: object) -> JobRunner:
        quick = {"poll_seconds": NEVER, "retry_first_seconds": 0.01, "retry_attempts": 3}
        kinds = {"kinds": frozenset(handlers)}
        chosen = JobSettings.model_validate(quick | kinds | settings)
        return JobRunner(
            self.process.jobs,
            handlers,
            chosen,
            Metrics(self.registry),
            given_up=self.given_up,
            endless=self.endless,
        )

    @asynccontextmanager
    async def running(self, turn: JobHandler, **settings: object) -> AsyncGenerator[asyncio.Event]:
        """Run `turn` jobs until the end of the block, and wait for those that run then."""
        async with self.running_all({"turn": turn}, **settings) as stop:
            yield stop

    @asynccontextmanager
    async def running_all(
        self, handlers: Mapping[str, JobHandler], **settings: object
    ) -> AsyncGenerator[asyncio.Event]:
        """Run jobs of several kinds in the same way."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.runner(handlers, **settings).run(stop))
        try:
            yield stop
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)

    async def done(self, job: Job) -> None:
        self.seen.append(job)
        await self.process.done(job)

    def counted(self, outcome: Outcome) -> float:
        labels = {"service": "shop", "kind": "turn", "outcome": outcome}
        return self.registry.get_sample_value("recado_jobs_run_total", labels) or 0.0

    def gauge(self, name: str, kind: str) -> float | None:
        return self.registry.get_sample_value(name, {"service": "shop", "kind": kind})

    async def is_empty(self) -> bool:
        return await self.table.rows() == []

    async def failure(self) -> str | None:
        return (await self.table.row())["reason"]
