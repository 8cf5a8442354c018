"""The notifier's use cases over a real database, a provider with a ledger, and what kills them."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import Row, select, text, update

from common.accounts import (
    CHANNEL_ACCOUNTS,
    CONTACT_PERMISSIONS,
    AccountRegistry,
    ChannelAccount,
    SecretCipher,
    row_of,
)
from common.broker.outbox import Outbox, publish_key
from common.database import Database, Transaction, insert_once, open_database
from common.events import Channel, DeliveryReported, Event, Payload, SendMessage, decode
from common.ids import Ulid, new_id
from common.jobs import Job, Jobs
from common.observability.metrics import Metrics
from common.testing.channel_accounts import new_channel_account, store_channel_account
from common.testing.switched_database import SwitchedDatabase
from notifier import job_kinds
from notifier.accept_send import AcceptSend
from notifier.deliver_sends import DeliverSends
from notifier.message_sender import (
    Accepted,
    ListedMessage,
    ListResult,
    OutgoingMessage,
    Refused,
    SendResult,
    Unknown,
)
from notifier.part_outcomes import PartOutcomes
from notifier.reconcile_sends import ReconcileSends
from notifier.sends.models import SEND_PARTS
from notifier.settings import NotifierSection
from notifier.track_delivery import TrackDelivery
from tests.contract.killable_database import KillableDatabase, KilledError
from tests.servers.migrated import migrated_postgres, migrated_sqlite
from tests.servers.postgres import PostgresServer

T = TypeVar("T")

SENDER = "whatsapp:+551140028922"
ANA = "whatsapp:+5511999990001"
BIA = "whatsapp:+5511999990002"
CIPHER = SecretCipher({"test": b"k" * 32})
QUICK = NotifierSection(
    status_callback_base="https://recado.example.org",
    call_seconds=1,
    retry_first_seconds=0.01,
    reconcile_first_seconds=0,
    reconcile_second_seconds=0,
    uncertain_blocks_seconds=3600,
)


Plan = Callable[[OutgoingMessage], Awaitable[SendResult]]


@dataclass
class Provider:
    """A provider that takes everything unless the next of its `plans` says otherwise."""

    plans: deque[Plan] = field(default_factory=deque[Plan])
    asked: list[OutgoingMessage] = field(default_factory=list[OutgoingMessage])
    taken: dict[str, OutgoingMessage] = field(default_factory=dict[str, OutgoingMessage])
    lists: bool = True

    async def create(self, account: ChannelAccount, message: OutgoingMessage) -> SendResult:
        assert account.account_sid.startswith("AC")
        self.asked.append(message)
        return await (self.plans.popleft() if self.plans else self.take)(message)

    async def list_messages(
        self, account: ChannelAccount, sender: str, recipient: str
    ) -> ListResult:
        assert account.account_sid.startswith("AC")
        if not self.lists:
            return Unknown("no list today")
        return tuple(
            ListedMessage(sid, message.text, "sent", datetime.now(UTC), error_code=None)
            for sid, message in reversed(self.taken.items())
            if (message.sender, message.recipient) == (sender, recipient)
        )

    async def take(self, message: OutgoingMessage) -> SendResult:
        sid = f"SM{len(self.taken) + 1:032x}"
        self.taken[sid] = message
        return Accepted(sid, "queued")

    async def take_and_fall_silent(self, message: OutgoingMessage) -> SendResult:
        await self.take(message)
        return Unknown("no answer in time")

    async def lose(self, _message: OutgoingMessage) -> SendResult:
        return Unknown("reset")

    async def kill_after_taking(self, message: OutgoingMessage) -> SendResult:
        await self.take(message)
        raise KilledError

    async def kill_before_taking(self, _message: OutgoingMessage) -> SendResult:
        raise KilledError

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.taken.values()]

    def sid_of(self, part: Ulid) -> str:
        (sid,) = (sid for sid, message in self.taken.items() if message.part == part)
        return sid


def answering(result: SendResult) -> Plan:
    async def answer(_message: OutgoingMessage) -> SendResult:
        return result

    return answer


class Process:
    """One process of the notifier."""

    def __init__(self, world: "World", settings: NotifierSection, *, lease: float) -> None:
        self.database = KillableDatabase(world.database)
        self.jobs = Jobs(
            "notifier",
            world.database,
            job_kinds.ALL,
            lease=timedelta(seconds=lease),
            per_tenant=4,
        )
        clock = count(0.0, 2.0)  # each look is late enough for an account to be read afresh
        self.registry = SwitchedDatabase(world.database)
        accounts = AccountRegistry(self.registry, CIPHER, clock=lambda: next(clock))
        metrics = Metrics(CollectorRegistry())
        self.outcomes = outcomes = PartOutcomes(self.jobs, world.outbox, metrics, settings)
        self.accept = AcceptSend(self.database, self.jobs, part_length=settings.part_length)
        self.track = TrackDelivery(self.database, outcomes)
        self.deliver = DeliverSends(
            self.database,
            self.jobs,
            outcomes,
            accounts=accounts,
            sender=world.provider,
            settings=settings,
        )
        self.reconcile = ReconcileSends(
            self.database,
            self.jobs,
            outcomes,
            accounts=accounts,
            sender=world.provider,
            settings=settings,
        )

    async def claim(self, kind: str) -> Job | None:
        return next(iter(await self.jobs.claim({kind: 1})), None)

    async def run_one(self, kind: str) -> None:
        """Run the next job of this kind, which must be due."""
        job = await self.claim(kind)
        assert job is not None
        await (self.deliver if kind == job_kinds.SENDER else self.reconcile)(job)

    async def work(self) -> None:
        """Run every job that is due, and those that become due by it, until none is."""
        handlers = {job_kinds.SENDER: self.deliver, job_kinds.RECONCILE: self.reconcile}
        idle = False
        while not idle:
            idle = True
            for kind, handler in handlers.items():
                while job := await self.claim(kind):
                    await handler(job)
                    idle = False


@dataclass
class World:
    """A tenant with one channel account, in a database of its own."""

    database: Database
    account: ChannelAccount
    admin: Callable[[str], Awaitable[None]]
    owner_url: str
    provider: Provider = field(default_factory=Provider)
    outbox: Outbox = field(default_factory=lambda: Outbox("notifier"))

    def process(self, settings: NotifierSection = QUICK, *, lease: float = 30.0) -> Process:
        return Process(self, settings, lease=lease)

    async def permit(
        self, address: str = ANA, *, wrote: timedelta = timedelta(0), **more: object
    ) -> None:
        """Let the contact have written so long ago."""
        row = {
            "tenant_id": self.account.tenant,
            "sender": SENDER,
            "address": address,
            "last_inbound_at": datetime.now(UTC) - wrote,
            **more,
        }

        def store(tx: Transaction) -> None:
            assert insert_once(tx, CONTACT_PERMISSIONS, row)

        await self.database.transaction(store, tenant=self.account.tenant)

    def send(self, words: str = "Olá!", *, to: str = ANA, **more: object) -> Event[SendMessage]:
        """A reply for the contact."""
        payload = SendMessage.model_validate(
            {
                "message": new_id(),
                "account": self.account.id,
                "channel": Channel.WHATSAPP,
                "sender": SENDER,
                "recipient": to,
                "text": words,
                "not_after": datetime.now(UTC) + timedelta(hours=1),
                **more,
            }
        )
        return Event[SendMessage].of(
            payload, source="test", tenant=self.account.tenant, correlation=new_id()
        )

    def report(
        self, status: str, *, sid: str, part: Ulid | None = None, **more: object
    ) -> Event[DeliveryReported]:
        """A status callback."""
        payload = DeliveryReported.model_validate(
            {
                "account": self.account.id,
                "provider_message_id": sid,
                "part": part,
                "status": status,
                "reported_at": datetime.now(UTC),
                **more,
            }
        )
        return Event[DeliveryReported].of(
            payload, source="test", tenant=self.account.tenant, correlation=new_id()
        )

    async def reseal(self, cipher: SecretCipher) -> None:
        """Encrypt the account's secrets anew."""
        sealed = update(CHANNEL_ACCOUNTS).values(row_of(self.account, cipher, datetime.now(UTC)))
        await self.database.transaction(lambda tx: tx.execute(sealed), tenant=self.account.tenant)

    async def rotate_and_refuse(self, _message: OutgoingMessage) -> SendResult:
        """Refuse credentials that have just been replaced."""
        fresh = replace(self.account, auth_tokens=(SecretStr("b" * 32),))
        tokens = row_of(fresh, CIPHER, datetime.now(UTC))["auth_tokens"]
        rotate = update(CHANNEL_ACCOUNTS).values(auth_tokens=tokens)
        await self.database.transaction(lambda tx: tx.execute(rotate), tenant=fresh.tenant)
        return Refused(401, 20003)

    async def parts(self) -> list[Row[Any]]:
        """Every part, in the order of its recipient's line."""
        ordered = select(SEND_PARTS).order_by(SEND_PARTS.c.recipient, SEND_PARTS.c.place)
        return await self.read(lambda tx: list(tx.execute(ordered).all()))

    async def part(self) -> Row[Any]:
        """The only part there is."""
        (part,) = await self.parts()
        return part

    async def states(self) -> list[str]:
        return [part.state for part in await self.parts()]

    async def told(self, address: str = ANA) -> list[Payload]:
        """What `deliveries.updated` says of the recipient, in its order."""
        key = publish_key(f"{SENDER}|{address}")
        rows = await self.read(lambda tx: self.outbox.pending(tx, key, 100))
        return [decode(row.record).payload for row in rows]

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self.database.read(work, tenant=self.account.tenant)

    async def write(self, part: Ulid | None = None, **values: object) -> None:
        """Change one part by hand, or every one."""
        chosen = [] if part is None else [SEND_PARTS.c.id == part]
        statement = update(SEND_PARTS).where(*chosen).values(**values)
        await self.database.transaction(
            lambda tx: tx.execute(statement), tenant=self.account.tenant
        )

    async def lose_leases(self) -> None:
        """Let the processes that hold jobs be gone for long."""
        await self.admin("update notifier_jobs set lease_until = {long_ago}")

    async def let_time_pass(self) -> None:
        """Let everything that waits be due."""
        await self.write(not_before=datetime.now(UTC) - timedelta(seconds=1))
        await self.admin("update notifier_jobs set due_at = {long_ago} where token is null")


@asynccontextmanager
async def new_world(folder: Path, server: PostgresServer | None) -> AsyncGenerator[World]:
    """Take a migrated database, and work as a serving process does; no server is a file."""
    if server is None:
        url = await migrated_sqlite(folder / "recado.db")
        async with _world(serving=url, owner=url, long_ago="0") as world:
            yield world
        return
    place = await migrated_postgres(server)
    try:
        serving = await place.add_serving_login()
        async with _world(serving, place.admin_url, long_ago="'2001-01-01'") as world:
            yield world
    finally:
        await place.drop()


@asynccontextmanager
async def _world(serving: str, owner: str, *, long_ago: str) -> AsyncGenerator[World]:
    async with (
        open_database(serving, pool_size=5, busy_seconds=20) as database,
        open_database(owner, pool_size=1, busy_seconds=20) as owned,
    ):

        async def admin(statement: str) -> None:
            sql = text(statement.format(long_ago=long_ago))
            await owned.transaction(lambda tx: tx.execute(sql))

        account = new_channel_account()
        await store_channel_account(database, account, CIPHER)
        yield World(database, account, admin, owner)
