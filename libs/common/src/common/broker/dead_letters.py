"""Records that were given up, as rows of the service that gave them up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    select,
)

from common.broker.headers import HeadersColumn
from common.database import Database, Transaction, UlidColumn, UtcTimestamp, insert_once
from common.events import Record
from common.ids import Ulid

_LONGEST_DETAIL = 1000  # characters


class Reason(StrEnum):
    """Why a record was given up: the closed list."""

    UNDECODABLE = "undecodable"
    PERMANENT = "permanent failure"
    EXHAUSTED = "retries used up"


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


class DeadLetters:
    """The table `<service>_dead_letters`."""

    def __init__(self, service: str, database: Database) -> None:
        """Name the service that writes it."""
        self._database = database
        self._table = Table(
            f"{service}_dead_letters",
            MetaData(),
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
        door = getattr(func, f"{service}_dead_letter_insert")
        arguments = [column for column in self._table.c if column.name != "tenant_id"]
        self._door = select(door(*(bindparam(each.name, type_=each.type) for each in arguments)))

    async def record(
        self, letter: DeadLetter, consequence: Callable[[Transaction], None] | None = None
    ) -> None:
        """Make it a row; one that is there already, by topic and record id, stays as it is.

        With a new row, of a tenant, comes its `consequence`, in the same transaction.
        """
        values = _values(letter)

        def write(tx: Transaction) -> None:
            if letter.tenant is None and tx.dialect == "postgresql":
                tx.execute(self._door, values)
                return
            is_new = insert_once(tx, self._table, {**values, "tenant_id": letter.tenant})
            if is_new and consequence is not None:
                consequence(tx)

        await self._database.transaction(write, tenant=letter.tenant)


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
