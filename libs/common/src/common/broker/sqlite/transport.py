"""Records in a SQLite file: the embedded default, also between processes of one machine.

A record leaves the file when it is acknowledged, since a topic has one group. A process that stops
loses its leases after a while, and what it held is taken by another.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from common.broker.outage import wait_unless
from common.broker.sqlite import records
from common.broker.sqlite.records import Claim, claim_of
from common.broker.transport import Delivery, Revoked
from common.database import Database, Transaction
from common.errors import DependencyDown
from common.events import Record, Topic
from common.ids import new_id

log = structlog.get_logger()


class SqliteTransport:
    """See `Transport`. This process sees at once what it publishes; others look every 0.2 s."""

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        """Use a database that holds nothing else; its table is made when first used."""
        self._database = database
        self._lease = timedelta(seconds=lease_seconds)
        self._created = False
        self._subscriptions: set[SqliteSubscription] = set()

    async def publish(self, record: Record) -> None:
        """See `Transport.publish`: one transaction, synced to the disk."""

        def append(tx: Transaction) -> None:
            records.insert(tx, record)

        await self._prepare()
        await self._database.transaction(append)
        for subscription in self._subscriptions:
            subscription.news.set()

    async def check(self) -> None:
        """See `Transport.check`: whether the file can be locked for writing."""

        def nothing(_tx: Transaction) -> None:
            pass

        await self._prepare()
        await self._database.transaction(nothing)

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator["SqliteSubscription"]:
        """See `Transport.subscribe`."""
        del group
        await self._prepare()
        names = [topic.name for topic in topics]
        subscription = SqliteSubscription(self._database, names, self._lease, revoked)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            await subscription.close()
            for other in self._subscriptions:
                other.news.set()

    async def _prepare(self) -> None:
        if not self._created:
            await self._database.transaction(records.create)
            self._created = True


class SqliteSubscription:
    """See `Subscription`."""

    def __init__(
        self, database: Database, topics: Sequence[str], lease: timedelta, revoked: Revoked
    ) -> None:
        """Read these topics; tell `revoked` what another process took from us."""
        self._database = database
        self._topics = tuple(topics)
        self._lease = lease
        self._holder = new_id()
        self._held: dict[Claim, Delivery] = {}
        self._busy = False
        self.news = asyncio.Event()
        """Set when this process changed what can be taken."""
        self._renewing: asyncio.Task[None] = asyncio.create_task(self._keep_leases(revoked))

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.fetch`. Looks without the right to write unless there was work."""
        if self._renewing.done():
            self._renewing.result()  # it ends only by a mistake of ours
        self.news.clear()
        if not self._busy and not await self._database.read(self._any_free):
            await wait_unless(self.news, random.uniform(0.1, 0.25))  # noqa: S311 - jitter
            if not await self._database.read(self._any_free):
                return ()

        def take(tx: Transaction) -> list[Delivery]:
            return records.take(tx, self._topics, self._holder, limit=limit, lease=self._lease)

        deliveries = await self._database.transaction(take)
        self._held.update((claim_of(delivery), delivery) for delivery in deliveries)
        self._busy = bool(deliveries)
        # another topic comes first next time, however much the first of them holds
        self._topics = (*self._topics[1:], *self._topics[:1])
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Subscription.acknowledge`."""

        def remove(tx: Transaction) -> None:
            records.remove(tx, deliveries)

        await self._database.transaction(remove)
        for delivery in deliveries:
            self._held.pop(claim_of(delivery), None)
        self.news.set()

    async def flush(self) -> None:
        """See `Subscription.flush`: nothing is kept back."""

    def unsettled_seconds(self) -> float:
        """See `Subscription.unsettled_seconds`: nothing is kept back."""
        return 0.0

    async def waiting(self) -> Mapping[str, int]:
        """See `Subscription.waiting`: not what is behind a record that another process has."""

        def count(tx: Transaction) -> Mapping[str, int]:
            return records.count_waiting(tx, self._topics, self._holder)

        return await self._database.read(count)

    async def close(self) -> None:
        """Give back at once what was not acknowledged; if that fails, the leases run out."""

        def give_back(tx: Transaction) -> None:
            records.release(tx, self._holder)

        self._renewing.cancel()
        await asyncio.wait([self._renewing])
        try:
            await self._database.transaction(give_back)
        except DependencyDown as error:
            log.warning("leases not given back", cause=error.cause)

    async def _keep_leases(self, revoked: Revoked) -> None:
        async with asyncio.TaskGroup() as revoking:  # the other leases are renewed meanwhile
            while True:
                await asyncio.sleep(self._lease.total_seconds() / 3)
                try:
                    lost = await self._renew()
                except DependencyDown as error:
                    log.warning("leases not renewed", cause=error.cause)
                    continue
                if lost:
                    log.warning("leases lost", records=len(lost))
                    revoking.create_task(revoked([delivery.shard for delivery in lost]))

    async def _renew(self) -> list[Delivery]:
        claims = list(self._held)

        def renew(tx: Transaction) -> set[Claim]:
            return records.renew(tx, claims, self._lease)

        lost = await self._database.transaction(renew) if claims else ()
        # one that was acknowledged meanwhile is gone as well, and not lost
        return [self._held.pop(claim) for claim in lost if claim in self._held]

    def _any_free(self, tx: Transaction) -> bool:
        return records.any_free(tx, self._topics)
