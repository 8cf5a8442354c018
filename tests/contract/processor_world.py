"""The processor's use cases over a real database: a file, or Postgres as a serving process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Table, select, text

from common.broker.dead_letters.letters import DeadLetters
from common.broker.memory import MemoryTransport
from common.broker.outbox import Outbox
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.database import Database, Transaction, open_database
from common.events import Channel, Event, MediaReference, MessageReceived, SendMessage, decode
from common.ids import Ulid, new_id
from common.jobs import Job, Jobs
from common.observability.metrics import Metrics
from processor.add_tenant import AddTenant
from processor.advance_conversation import AdvanceConversation
from processor.answer_turn import AnswerTurn, Pace
from processor.assistant import Assistant
from processor.conversation.models import CONVERSATIONS, MESSAGES
from processor.conversation.rules import Patience
from processor.job_kinds import PUBLISH, TIMER, TURN
from processor.publish_replies import PublishReplies
from processor.receive_message import ReceiveMessage
from tests.contract.processor_doubles import Echo
from tests.servers.migrated import migrated_postgres, migrated_sqlite

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
SENDER = "whatsapp:+551140028922"
CONTACT = "whatsapp:+5511999990001"
AT_ONCE = Pace(
    burst_window=timedelta(0), burst_cap=timedelta(0), age=timedelta(hours=6), history=20
)
PATIENCE = Patience(idle=timedelta(hours=1), expiry=timedelta(hours=24))


class Said(TypedDict, total=False):
    """What a test may choose of a message besides its text."""

    contact: str
    channel: Channel
    received_at: datetime
    attributes: dict[str, str]
    media: tuple[MediaReference, ...]
    profile_name: str


@dataclass(frozen=True)
class World:
    """A tenant, its rows, and one process that works on them."""

    database: Database
    owner: Database
    jobs: Jobs
    tenant: Ulid
    account: Ulid
    transport: MemoryTransport
    metrics: Metrics
    pace: Pace = AT_ONCE
    patience: Patience = PATIENCE

    def with_pace(self, pace: Pace) -> "World":
        return replace(self, pace=pace)

    async def receive(self, text: str = "oi", **values: Unpack[Said]) -> Event[MessageReceived]:
        event = self.message(text, **values)
        await self.deliver(event)
        return event

    async def deliver(self, event: Event[MessageReceived]) -> None:
        receive = ReceiveMessage(
            self.database,
            self.jobs,
            self.metrics,
            patience=self.patience,
            burst_window=self.pace.burst_window,
        )
        await receive(event)

    def message(self, text: str = "oi", **said: Unpack[Said]) -> Event[MessageReceived]:
        payload = MessageReceived(
            account=self.account,
            provider_message_id=f"SM{new_id().hex}",
            channel=said.get("channel", Channel.WHATSAPP),
            sender=SENDER,
            contact=said.get("contact", CONTACT),
            text=text,
            media=said.get("media", ()),
            profile_name=said.get("profile_name"),
            received_at=said.get("received_at", datetime.now(UTC)),
            attributes=said.get("attributes", {}),
        )
        return Event[MessageReceived].of(
            payload, source="gateway", tenant=self.tenant, correlation=new_id()
        )

    async def claim(self, kind: str = TURN) -> Sequence[Job]:
        return await self.jobs.claim({kind: 10})

    async def run_turns(self, assistant: Assistant | None = None) -> None:
        """Run the turns that are due, one after the other."""
        for job in await self.claim():
            await self.answer(job, assistant or Echo())

    async def answer(self, job: Job, assistant: Assistant) -> None:
        answer_turn = AnswerTurn(
            self.database,
            self.jobs,
            Outbox("processor"),
            assistant,
            self.metrics,
            patience=self.patience,
            pace=self.pace,
        )
        await answer_turn(job)

    async def publish(self, job: Job, *, over: Transport | None = None) -> None:
        publisher = Publisher(over or self.transport, self.metrics)
        dead_letters = DeadLetters("processor", self.database)
        outbox = Outbox("processor")
        publish = PublishReplies(self.database, self.jobs, outbox, publisher, dead_letters)
        await publish(job)

    async def publish_all(self) -> None:
        for job in await self.claim(PUBLISH):
            await self.publish(job)

    async def advance(self) -> None:
        advance = AdvanceConversation(self.database, self.jobs, patience=self.patience)
        for job in await self.claim(TIMER):
            await advance(job)

    def published(self) -> list[Event[SendMessage]]:
        """Take what is on the broker for the notifier, in order of its keys."""
        deliveries = self.transport.claim(frozenset(("messages.send",)), 100)
        for delivery in deliveries:
            self.transport.remove(delivery)
        later = self.published() if deliveries else []
        return [decode(delivery.record) for delivery in deliveries] + later

    async def rows(self, table: Table, *order: str) -> list[dict[str, Any]]:
        query = select(table).where(table.c.tenant_id == self.tenant)
        query = query.order_by(*(table.c[name] for name in order))

        def read(tx: Transaction) -> list[dict[str, Any]]:
            return [dict(row) for row in tx.execute(query).mappings()]

        return await self.database.read(read, tenant=self.tenant)

    async def messages(self) -> list[dict[str, Any]]:
        return await self.rows(MESSAGES, "stored_at", "seq")

    async def conversations(self) -> list[dict[str, Any]]:
        return await self.rows(CONVERSATIONS, "opened_at", "id")

    async def outcomes(self) -> list[str | None]:
        """Of the inbound messages, in the order of their arrival."""
        return [row["outcome"] for row in await self.messages() if row["direction"] == "inbound"]

    async def replies(self) -> list[str]:
        return [row["text"] for row in await self.messages() if row["direction"] == "outbound"]

    async def change(self, table: Table, **values: str | datetime) -> None:
        """Write into all rows of the tenant, as another process or a later time would."""
        statement = table.update().where(table.c.tenant_id == self.tenant).values(**values)
        await self.database.transaction(lambda tx: tx.execute(statement), tenant=self.tenant)

    async def clear(self, table: Table) -> None:
        statement = table.delete().where(table.c.tenant_id == self.tenant)
        await self.database.transaction(lambda tx: tx.execute(statement), tenant=self.tenant)

    async def execute(self, statement: str) -> None:
        """Do to plumbing what only time, or a crash, would."""
        await self.database.transaction(lambda tx: tx.execute(text(statement)), tenant=self.tenant)

    @property
    def long_ago(self) -> str:
        """A time of the plumbing's, as SQL."""
        return "0" if self.database is self.owner else "'2001-01-01'"


def paced(
    *,
    window: timedelta = AT_ONCE.burst_window,
    cap: timedelta = AT_ONCE.burst_cap,
    age: timedelta = AT_ONCE.age,
    history: int = AT_ONCE.history,
) -> Pace:
    return Pace(window, cap, age, history)


@asynccontextmanager
async def open_world(request: pytest.FixtureRequest, folder: Path) -> AsyncGenerator[World]:
    """Take a migrated database of the kind that `request.param` names, and add a tenant."""
    if request.param == "sqlite":
        async with _opened(await migrated_sqlite(folder / "recado.db")) as database:
            yield await _world(database, database)
        return
    place = await migrated_postgres(request.getfixturevalue("postgres_server"))
    try:
        serving = await place.add_serving_login()
        async with _opened(place.admin_url) as owner, _opened(serving) as database:
            yield await _world(database, owner)
    finally:
        await place.drop()


def _opened(url: str) -> AbstractAsyncContextManager[Database]:
    return open_database(url, pool_size=4, busy_seconds=20.0)


async def _world(database: Database, owner: Database) -> World:
    tenant = new_id()
    await AddTenant(owner)(tenant, name="Padaria")
    jobs = Jobs(
        "processor",
        database,
        (TURN, PUBLISH, TIMER),
        lease=timedelta(seconds=30),
        per_tenant=10,
    )
    return World(
        database=database,
        owner=owner,
        jobs=jobs,
        tenant=tenant,
        account=new_id(),
        transport=MemoryTransport(),
        metrics=Metrics(CollectorRegistry()),
    )
