"""Processes that stop past their lease or die with a job in hand, while messages come."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from common.database import Transaction
from common.ids import Ulid, new_id
from common.jobs import Job, LeaseLostError
from common.testing import eventually
from tests.contract.jobs.table import JobsTable, Process, started

LEASE = 0.3
MESSAGES = 300
TENANTS = [new_id() for _ in range(3)]
KEYS = [f"c{number}" for number in range(4)]

INBOX = "create table inbox (tenant text, key text, n integer, answers integer default 0)"
RECEIVE = text("insert into inbox (tenant, key, n) values (:tenant, :key, :n)")
UNANSWERED = text("select n from inbox where tenant = :tenant and key = :key and answers = 0")
ANSWER = text("update inbox set answers = answers + 1 where n = :n")


@pytest.fixture
async def processes(table: JobsTable) -> AsyncIterator[list[Process]]:
    await table.execute(INBOX)
    if not table.is_sqlite:
        await table.execute("grant all on inbox to recado_serving")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(started(table, lease=LEASE)) for _ in range(4)]


async def test_every_message_is_answered_once_whatever_stops(
    processes: list[Process], table: JobsTable
) -> None:
    chance = random.Random(5)
    workers = [Worker(process, chance) for process in processes]

    async with asyncio.TaskGroup() as group:
        working = [group.create_task(worker.work()) for worker in workers]
        for n in range(MESSAGES):
            await receive(processes[0], chance.choice(TENANTS), chance.choice(KEYS), n)
        await eventually(lambda: is_quiet(table), within=40)
        for task in working:
            task.cancel()

    answers = await table.execute("select answers, count(*) as messages from inbox group by 1")
    assert answers == [{"answers": 1, "messages": MESSAGES}]
    assert sum(worker.deaths for worker in workers) > 0
    assert sum(worker.late_answers for worker in workers) > 0


async def receive(process: Process, tenant: Ulid, key: str, n: int) -> None:
    def transaction(tx: Transaction) -> None:
        tx.execute(RECEIVE, {"tenant": str(tenant), "key": key, "n": n})
        process.jobs.schedule(tx, "turn", key)

    await process.database.transaction(transaction, tenant=tenant)


class Worker:
    """Answers what is unanswered; at times it dies with a job in hand or stops past its lease."""

    def __init__(self, process: Process, chance: random.Random) -> None:
        self.process = process
        self.chance = chance
        self.deaths = 0
        self.late_answers = 0

    async def work(self) -> None:
        while True:
            for job in await self.process.jobs.claim({"turn": 2}):
                if self.chance.random() < 0.1:
                    self.deaths += 1
                else:
                    await self.answer(job)
            await asyncio.sleep(self.chance.uniform(0, 0.02))

    async def answer(self, job: Job) -> None:
        unanswered = await self.read(job)
        await asyncio.sleep(LEASE * self.chance.uniform(1, 2) if self.chance.random() < 0.2 else 0)

        def transaction(tx: Transaction) -> None:
            for n in unanswered:
                tx.execute(ANSWER, {"n": n})
            self.process.jobs.done(tx, job)

        try:
            await self.process.database.transaction(transaction, tenant=job.tenant)
        except LeaseLostError:
            self.late_answers += 1

    async def read(self, job: Job) -> list[int]:
        place = {"tenant": str(job.tenant), "key": job.key}
        return await self.process.database.read(
            lambda tx: list(tx.execute(UNANSWERED, place).scalars()), tenant=job.tenant
        )


async def is_quiet(table: JobsTable) -> bool:
    return await table.rows() == []
