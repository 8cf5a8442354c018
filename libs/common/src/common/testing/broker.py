"""Messages to publish, handlers that remember, and an engine that runs while a test looks."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.limits import Limits
from common.broker.engine.retry import RetryPolicy
from common.broker.schema import create_dead_letters, create_halts, number_dead_letters
from common.broker.transport import Transport
from common.database import Database, Transaction
from common.events import (
    DELIVERIES_UPDATED,
    MESSAGES_RECEIVED,
    Channel,
    Event,
    MessageReceived,
)
from common.ids import Ulid, new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings

ACCOUNT = new_id()
TENANT = new_id()
IMPATIENT = RetryPolicy(attempts=3, first=0.01, longest=0.02)
"""Retries that no test has to wait for."""

GROUP = MESSAGES_RECEIVED.consumer


def message(contact: str, words: str = "", *, tenant: Ulid = TENANT) -> Event[MessageReceived]:
    """Make an event; the messages of one contact have one key."""
    payload = MessageReceived(
        account=ACCOUNT,
        provider_message_id=f"SM{new_id().hex}",
        channel=Channel.SMS,
        sender="+551150281000",
        contact=contact,
        text=words,
        received_at=datetime.now(UTC),
    )
    return Event[MessageReceived].of(payload, source="tests", tenant=tenant, correlation=new_id())


class RememberingHandler:
    """Notes what it was given, by contact, and what it finished; does `work` in between."""

    def __init__(self, work: Callable[[Event[Any]], Awaitable[None]] | None = None) -> None:
        """Do nothing between beginning and end unless told what."""
        self._work = work
        self.begun: list[tuple[str, str]] = []
        self.finished: list[tuple[str, str]] = []
        self.running: list[str] = []
        self.most_at_once = 0
        self.overlapped: set[str] = set()

    async def __call__(self, event: Event[Any]) -> None:
        """Handle one message."""
        contact, words = event.payload.contact, event.payload.text
        if contact in self.running:
            self.overlapped.add(contact)
        self.running.append(contact)
        self.most_at_once = max(self.most_at_once, len(self.running))
        self.begun.append((contact, words))
        try:
            if self._work is not None:
                await self._work(event)
        finally:
            self.running.remove(contact)
        self.finished.append((contact, words))

    def words_of(self, contact: str) -> list[str]:
        """Return what was finished of one contact, in order."""
        return [words for name, words in self.finished if name == contact]


def engine_of(
    transport: Transport,
    handler: Callable[[Event[Any]], Awaitable[None]],
    database: Database,
    *,
    policy: RetryPolicy = IMPATIENT,
    metrics: Metrics | None = None,
    concurrency: int = 16,
    settings: BrokerSettings | None = None,
    halts: Halts | None = None,
    drain_seconds: float = 5.0,
) -> Engine:
    """Consume `messages.received` as the processor does; dead letters and halts go to its tables.

    Without `settings`, one tenant may have all slots, and four records are held for each.
    """
    broker = settings or BrokerSettings(
        concurrency=concurrency, per_tenant=concurrency, window_records=4 * concurrency
    )
    return Engine(
        transport,
        GROUP,
        {MESSAGES_RECEIVED: handler, DELIVERIES_UPDATED: _unexpected},
        dead_letters=DeadLetters(GROUP, database),
        halts=halts or Halts(GROUP, database),
        policy=policy,
        limits=Limits.of(broker, drain_seconds),
        conditions=Conditions.of(broker),
        metrics=metrics or Metrics(CollectorRegistry()),
    )


async def _unexpected(event: Event[Any]) -> None:
    raise AssertionError(event)


class Runnable(Protocol):
    """See `common.runtime.Component`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        ...


@asynccontextmanager
async def running(component: Runnable) -> AsyncGenerator[asyncio.Task[None]]:
    """Run a component meanwhile, then stop it and wait until it drained.

    Cancel the task to let it die instead.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(component.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def create_dead_letter_table(database: Database) -> None:
    """Create the processor's tables of dead letters and halts on SQLite."""

    def create(tx: Transaction) -> None:
        for make in (create_dead_letters, number_dead_letters, create_halts):
            for statement in make(GROUP, "sqlite"):
                tx.execute(text(statement))

    await database.transaction(create)


async def dead_letters_in(database: Database) -> list[dict[str, Any]]:
    """Return the rows as they stand, oldest first."""

    def read(tx: Transaction) -> list[dict[str, Any]]:
        rows = tx.execute(text(f"select * from {GROUP}_dead_letters order by seq"))  # noqa: S608 - a constant
        return [dict(row) for row in rows.mappings()]

    return await database.read(read)
