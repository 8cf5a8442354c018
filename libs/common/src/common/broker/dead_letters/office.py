"""What an operator does about dead letters and halts, each with a row that says who did it.

Works as the owner of the tables, who sees all tenants' rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from common.broker.dead_letters.halts import Halt, HaltState, halts_table
from common.broker.dead_letters.letters import (
    REPLAYS_HEADER,
    DeadLetter,
    DeadLetters,
    Reason,
    StoredLetter,
    dead_letters_table,
    stored_letter,
)
from common.broker.publisher import Publisher
from common.database import Database, Transaction, UlidColumn, UtcTimestamp
from common.events import Record
from common.ids import Ulid


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters; what is None does not matter."""

    limit: int
    seq: int | None = None
    tenant: Ulid | None = None
    topic: str | None = None
    reason: Reason | None = None
    since: datetime | None = None
    """Given up at this time or later."""


class DeadLetterOffice:
    """The dead letters and halts of one service."""

    def __init__(self, service: str, database: Database, *, operator: str) -> None:
        """Name the service that writes them, and who acts on them."""
        self.service = service
        self._database = database
        self._operator = operator
        self._letters = DeadLetters(service, database)
        self._table = dead_letters_table(service)
        self._halts = halts_table(service)
        self._actions = _actions_table(service)

    async def find(self, wanted: Wanted) -> list[StoredLetter]:
        """Return the first ones wanted, in sequence."""
        table = self._table
        query = (
            select(table)
            .where(*_conditions(table, wanted))
            .order_by(table.c.seq)
            .limit(wanted.limit)
        )
        return await self._database.read(
            lambda tx: [stored_letter(row) for row in tx.execute(query)]
        )

    async def replay(self, stored: StoredLetter, publisher: Publisher) -> None:
        """Hand the record to its topic again, behind what is there, and forget the letter.

        It keeps its event's id, so what was done already is not done twice; nor is it when this
        ends between the broker's answer and the commit, and the letter is replayed once more.
        Raises `DependencyDown`, and `PermanentError` for a record that no broker takes.
        """
        await publisher.publish_record(_replayed(stored.letter))
        await self._end("replay", stored)

    async def discard(self, stored: StoredLetter) -> None:
        """Forget the letter for good; what it says is in no other place."""
        await self._end("discard", stored)

    async def halts(self) -> list[Halt]:
        """Return what stands still, what stands longest first."""
        query = select(self._halts).order_by(self._halts.c.since)
        return await self._database.read(
            lambda tx: [
                Halt(row.tenant_id, row.reason, HaltState(row.state), row.since)
                for row in tx.execute(query)
            ]
        )

    async def resume(self, tenant: Ulid, schedule: Callable[[Transaction], None]) -> bool:
        """Have a suspended tenant's letters handled; tell whether it was suspended.

        `schedule` asks for the service's `resume` job, in the same transaction.
        """

        def work(tx: Transaction) -> bool:
            halts = self._halts
            marked = tx.execute(
                update(halts)
                .where(halts.c.tenant_id == tenant)
                .values(state=HaltState.RESUMING.value)
            )
            if marked.rowcount == 0:
                return False
            self._note(tx, "resume", tenant_id=tenant)
            schedule(tx)
            return True

        return await self._database.transaction(work, tenant=tenant)

    async def resume_consumer(self) -> bool:
        """Let the consumer go on; tell whether it was halted. Its processes look every 2 s."""

        def work(tx: Transaction) -> bool:
            lifted = tx.execute(delete(self._halts).where(self._halts.c.tenant_id.is_(None)))
            if lifted.rowcount == 0:
                return False
            self._note(tx, "resume")
            return True

        return await self._database.transaction(work)

    async def _end(self, action: str, stored: StoredLetter) -> None:
        work = partial(self._forget, action, stored)
        await self._database.transaction(work, tenant=stored.letter.tenant)

    def _forget(self, action: str, stored: StoredLetter, tx: Transaction) -> None:
        letter = stored.letter
        self._letters.remove(tx, stored.seq)
        self._note(
            tx,
            action,
            topic=letter.record.topic,
            record_id=letter.record_id,
            event_id=letter.event,
            tenant_id=letter.tenant,
        )

    def _note(self, tx: Transaction, action: str, **about: str | Ulid | None) -> None:
        done = {"action": action, "operator": self._operator, "at": tx.now}
        tx.execute(insert(self._actions).values(done | about))


def _replayed(letter: DeadLetter) -> Record:
    record = letter.record
    kept = tuple(each for each in record.headers if each[0] != REPLAYS_HEADER)
    times = (REPLAYS_HEADER, str(letter.replays + 1).encode())
    return Record(record.topic, record.key, (*kept, times), record.value)


def _conditions(table: Table, wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    asked: dict[str, Any] = {
        "seq": wanted.seq,
        "tenant_id": wanted.tenant,
        "topic": wanted.topic,
        "reason": wanted.reason and wanted.reason.value,
    }
    equal = [table.c[name] == value for name, value in asked.items() if value is not None]
    if wanted.since is None:
        return equal
    return [*equal, table.c.last_failed_at >= wanted.since]


def _actions_table(service: str) -> Table:
    return Table(
        f"{service}_dead_letter_actions",
        MetaData(),
        Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
        Column("action", Text),
        Column("topic", Text),
        Column("record_id", Text),
        Column("event_id", UlidColumn),
        Column("tenant_id", UlidColumn),
        Column("operator", Text),
        Column("at", UtcTimestamp),
    )
