"""A suspended tenant of the processor, its waiting records, and a handler that notes them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.dead_letters.office import DeadLetterOffice
from common.broker.engine.resume import ResumeTenant
from common.database import Transaction
from common.events import MESSAGES_RECEIVED, Event, encode
from common.ids import Ulid
from common.jobs import Job, Jobs
from common.testing.broker import message
from processor.job_kinds import ALL, RESUME
from tests.contract.processor_world import World


class SecondThoughtError(Exception):
    """What rolls a transaction back."""


@dataclass
class Waiting:
    """What a test sees and does of it, as the processor and as an operator."""

    world: World
    letters: DeadLetters
    office: DeadLetterOffice
    jobs: Jobs
    handled: list[str] = field(default_factory=list[str])
    given_up: list[str] = field(default_factory=list[str])
    raising: dict[str, Exception] = field(default_factory=dict[str, Exception])

    async def handle(self, event: Event[Any]) -> None:
        if error := self.raising.get(event.payload.text):
            raise error
        self.handled.append(event.payload.text)

    async def suspend(self, words: str) -> bool:
        return await self.letters.record_suspended(letter_of(words, tenant=self.world.tenant))

    async def resume(self) -> bool:
        tenant = self.world.tenant

        def schedule(tx: Transaction) -> None:
            self.jobs.schedule(tx, RESUME, str(tenant))

        return await self.office.resume(tenant, schedule)

    async def claim(self) -> Sequence[Job]:
        return await self.jobs.claim({RESUME: 1})

    async def run(self, job: Job) -> None:
        def give_up(tx: Transaction, event: Event[Any]) -> None:
            tx.after_commit(lambda: self.given_up.append(event.payload.text))

        resume = ResumeTenant(
            "processor",
            self.world.database,
            self.jobs,
            {MESSAGES_RECEIVED: self.handle},
            self.world.metrics,
            given_up={MESSAGES_RECEIVED: give_up},
        )
        await resume(job)

    async def run_all(self) -> None:
        while jobs := await self.claim():
            await self.run(jobs[0])

    def counted(self, name: str, **labels: str) -> float | None:
        labels["topic"] = MESSAGES_RECEIVED.name
        return self.world.metrics.registry.get_sample_value(f"{name}_total", labels)

    async def hold_up(self, letter: DeadLetter) -> None:
        """Keep the letter from being written for a second."""

        def insert_and_think_better_of_it(tx: Transaction) -> None:
            self.letters.add(tx, letter)
            tx.execute(text("select pg_sleep(1)"))
            raise SecondThoughtError

        with suppress(SecondThoughtError):
            tenant = self.world.tenant
            await self.world.owner.transaction(insert_and_think_better_of_it, tenant=tenant)

    async def count_sessions(self, which: str) -> int:
        sessions = text(
            "select count(*) from pg_stat_activity"
            f" where datname = current_database() and pid <> pg_backend_pid() and {which}"
        )
        return await self.world.owner.read(lambda tx: tx.execute(sessions).scalar_one())

    async def actions(self) -> list[tuple[str, str]]:
        rows = text("select action, operator from processor_dead_letter_actions")
        return await self.world.owner.read(lambda tx: [tuple(row) for row in tx.execute(rows)])

    async def reasons(self) -> list[str]:
        rows = text("select reason from processor_dead_letters order by seq")
        return await self.world.database.read(
            lambda tx: list(tx.execute(rows).scalars()), tenant=self.world.tenant
        )


async def suspended(world: World) -> Waiting:
    """Suspend the world's tenant."""
    await Halts("processor", world.database).suspend(world.tenant, "five in a row failed")
    return Waiting(
        world,
        DeadLetters("processor", world.database),
        DeadLetterOffice("processor", world.owner, operator="ana"),
        Jobs("processor", world.database, ALL, lease=timedelta(seconds=30), per_tenant=4),
    )


def letter_of(words: str, *, tenant: Ulid) -> DeadLetter:
    event = message("+55111", words, tenant=tenant)
    return DeadLetter(
        record=encode(event),
        record_id=str(event.id),
        tenant=tenant,
        reason=Reason.SUSPENDED,
        error_class="",
        detail="",
        attempts=0,
        first_failed_at=datetime.now(UTC),
        last_failed_at=datetime.now(UTC),
    )
