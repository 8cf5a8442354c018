"""Records that were given up, as rows of the service that gave them up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
)

from common.broker.dead_letters.halts import halt_of, halts_table
from common.broker.headers import HeadersColumn
from common.database import Database, Transaction, UlidColumn, UtcTimestamp, insert_once
from common.events import Record, header
from common.ids import Ulid, parse_id

REPLAYS_HEADER = "recado-replays"
"""How often an operator handed the record to the broker again."""

_LONGEST_DETAIL = 1000  # characters


class Reason(StrEnum):
    """Why a record was given up: the closed list."""

    UNDECODABLE = "undecodable"
    PERMANENT = "permanent failure"
    EXHAUSTED = "retries used up"
    SUSPENDED = "suspended"
    """Nothing is wrong with it: its tenant was suspended, and it waits to be handled in order."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was given up, as it came, and why."""

    record: Record
    record_id: str
    tenant: Ulid | None
    """None where the record could not be decoded: its headers are not believed then."""
    reason: Reason
    error_class: str
    detail: str
    attempts: int
    """How often a handler had it."""
    first_failed_at: datetime
    last_failed_at: datetime

    @property
    def replays(self) -> int:
        """How often it was replayed before it was given up this time."""
        times = header(self.record, REPLAYS_HEADER) or ""
        return int(times) if times.isascii() and times.isdecimal() else 0

    @property
    def event(self) -> Ulid | None:
        """The event's id, if the record says one."""
        return _id_in(self.record, "ce_id")

    @property
    def correlation(self) -> Ulid | None:
        """The correlation id, if the record says one."""
        return _id_in(self.record, "ce_correlationid")


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter and its place: `seq` grows in the order in which a key's were given up."""

    seq: int
    letter: DeadLetter


class DeadLetters:
    """The table `<service>_dead_letters`."""

    def __init__(self, service: str, database: Database) -> None:
        """Name the service that writes it."""
        self._database = database
        self._table = dead_letters_table(service)
        self._halts = halts_table(service)
        door = getattr(func, f"{service}_dead_letter_insert")
        arguments = [each for each in self._table.c if each.name not in {"seq", "tenant_id"}]
        self._door = select(door(*(bindparam(each.name, type_=each.type) for each in arguments)))

    async def record(
        self, letter: DeadLetter, consequence: Callable[[Transaction], None] | None = None
    ) -> None:
        """Make it a row; one that is there already, by topic and record id, stays as it is.

        With a new row, of a tenant, comes its `consequence`, in the same transaction.
        """

        def write(tx: Transaction) -> None:
            if letter.tenant is None and tx.dialect == "postgresql":
                tx.execute(self._door, _values(letter))
            elif self.add(tx, letter) and consequence is not None:
                consequence(tx)

        await self._database.transaction(write, tenant=letter.tenant)

    async def record_suspended(self, letter: DeadLetter) -> bool:
        """Have the record wait behind the earlier ones of its suspended tenant.

        False, and nothing is written, where the tenant is not suspended any more: it is to be
        handled then. A tenant is resumed before or after this, never meanwhile.
        """
        if letter.tenant is None:
            raise ValueError("a record without a tenant cannot wait for one")

        def write(tx: Transaction) -> bool:
            kept = tx.execute(halt_of(letter.tenant, self._halts).with_for_update(read=True))
            if kept.first() is None:
                return False
            self.add(tx, replace(letter, reason=Reason.SUSPENDED))
            return True

        return await self._database.transaction(write, tenant=letter.tenant)

    def add(self, tx: Transaction, letter: DeadLetter) -> bool:
        """Write the row in the letter's own tenant's transaction; tell whether it was new."""
        return insert_once(tx, self._table, _values(letter) | {"tenant_id": letter.tenant})

    def waiting(self, tx: Transaction, limit: int) -> Sequence[StoredLetter]:
        """Return the first letters that wait for the transaction's tenant to be resumed."""
        table = self._table
        rows = tx.execute(
            select(table)
            .where(table.c.tenant_id == tx.tenant, table.c.reason == Reason.SUSPENDED.value)
            .order_by(table.c.seq)
            .limit(limit)
        )
        return [stored_letter(row) for row in rows]

    def remove(self, tx: Transaction, seq: int) -> bool:
        """Forget a letter of the transaction's tenant; tell whether it was there."""
        table = self._table
        removed = tx.execute(
            delete(table).where(table.c.tenant_id == tx.tenant, table.c.seq == seq)
        )
        return removed.rowcount == 1


def dead_letters_table(service: str) -> Table:
    """Return the table of a service."""
    return Table(
        f"{service}_dead_letters",
        MetaData(),
        Column("seq", BigInteger().with_variant(Integer(), "sqlite")),
        Column("topic", Text, primary_key=True),
        Column("record_id", Text, primary_key=True),
        Column("tenant_id", UlidColumn),
        Column("key", Text),
        Column("headers", HeadersColumn),
        Column("value", LargeBinary),
        Column("reason", Text),
        Column("error_class", Text),
        Column("detail", Text),
        Column("attempts", Integer),
        Column("first_failed_at", UtcTimestamp),
        Column("last_failed_at", UtcTimestamp),
    )


def stored_letter(row: Row[Any]) -> StoredLetter:
    """Read a whole row of the table."""
    letter = DeadLetter(
        record=Record(row.topic, row.key, row.headers, row.value),
        record_id=row.record_id,
        tenant=row.tenant_id,
        reason=Reason(row.reason),
        error_class=row.error_class,
        detail=row.detail,
        attempts=row.attempts,
        first_failed_at=row.first_failed_at,
        last_failed_at=row.last_failed_at,
    )
    return StoredLetter(row.seq, letter)


def _values(letter: DeadLetter) -> dict[str, Any]:
    return {
        "topic": letter.record.topic,
        "record_id": letter.record_id,
        "key": _storable(letter.record.key),
        "headers": letter.record.headers,
        "value": letter.record.value,
        "reason": letter.reason.value,
        "error_class": letter.error_class,
        "detail": _storable(letter.detail)[:_LONGEST_DETAIL],
        "attempts": letter.attempts,
        "first_failed_at": letter.first_failed_at,
        "last_failed_at": letter.last_failed_at,
    }


def _storable(words: str) -> str:
    """Replace what Postgres' `text` cannot hold, so that no dead letter fails for its content."""
    return words.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _id_in(record: Record, name: str) -> Ulid | None:
    try:
        return parse_id(header(record, name) or "")
    except ValueError:
        return None
