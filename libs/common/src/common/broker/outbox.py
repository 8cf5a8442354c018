"""Events that a transaction must publish, kept as rows of that transaction.

They leave the database by the service's `publish` job of their key: read, published one after the
other, forgotten in the transaction that ends the job. So an event may be published twice and late,
never out of the order of first occurrences and never not at all. A record that no broker will ever
take becomes a dead letter, so that those behind it go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)

from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.headers import HeadersColumn
from common.broker.publisher import Publisher
from common.broker.transport import refuse_oversized
from common.database import Transaction, UlidColumn
from common.errors import PermanentError
from common.events import Event, Record, encode
from common.ids import Ulid, derived_id, parse_id
from common.observability import tracing

log = structlog.get_logger()


def publish_key(key: str) -> str:
    """Return the key of the `publish` job that hands over the records of the broker's `key`.

    It is an id, since the broker's key holds addresses, and a job's key leaves its tenant's rows by
    the claim, which serves all tenants, and by the logs.
    """
    return str(derived_id(key))


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A record that waits to be published. `seq` grows in the order of the commits of its key."""

    seq: int
    record: Record


class Outbox:
    """The table `<service>_outbox`."""

    def __init__(self, service: str) -> None:
        """Name the service that writes it."""
        self._table = Table(
            f"{service}_outbox",
            MetaData(),
            # SQLite counts by itself only in a column that is INTEGER to the letter
            Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
            Column("tenant_id", UlidColumn, nullable=False),
            Column("key_id", UlidColumn, nullable=False),
            Column("topic", Text, nullable=False),
            Column("key", Text, nullable=False),
            Column("headers", HeadersColumn, nullable=False),
            Column("value", LargeBinary, nullable=False),
        )
        table, own = self._table, self._table.c.tenant_id == bindparam("tenant")
        self._append = insert(table)
        self._pending = (
            select(table)
            .where(own, table.c.key_id == bindparam("key"))
            .order_by(table.c.seq)
            .limit(bindparam("limit"))
        )
        self._forget = delete(table).where(own, table.c.seq.in_(bindparam("seqs", expanding=True)))

    def append(self, tx: Transaction, event: Event[Any]) -> None:
        """Keep the event, with the span of now, to be published after the commit.

        Schedule the `publish` job of its `publish_key` in `tx` before: its row lock makes the order
        of `seq` the order of the commits. Raises `PermanentError` for an event too large to send.
        """
        record = encode(event)
        refuse_oversized(record)
        row = {
            "tenant_id": _own(tx, event.tenant),
            "key_id": parse_id(publish_key(record.key)),
            "topic": record.topic,
            "key": record.key,
            "headers": tracing.inject(record.headers),
            "value": record.value,
        }
        tx.execute(self._append, row)

    def pending(self, tx: Transaction, key: str, limit: int) -> list[OutboxRow]:
        """Return the first `limit` records of a `publish_key`, in sequence."""
        named = {"tenant": tx.tenant, "key": parse_id(key), "limit": limit}
        rows = tx.execute(self._pending, named)
        return [
            OutboxRow(row.seq, Record(row.topic, row.key, row.headers, row.value)) for row in rows
        ]

    def forget(self, tx: Transaction, rows: Sequence[OutboxRow]) -> None:
        """Remove what was handed over. In the transaction that ends the `publish` job."""
        seqs = [row.seq for row in rows]
        tx.execute(self._forget, {"tenant": tx.tenant, "seqs": seqs})


async def hand_over(
    rows: Sequence[OutboxRow], publisher: Publisher, dead_letters: DeadLetters, *, tenant: Ulid
) -> list[Record]:
    """Publish each once the one before is durable; return those that no broker will ever take.

    Those are dead letters by then. Raises whatever else keeps a record from being published.
    """
    refused: list[Record] = []
    for row in rows:
        try:
            await publisher.publish_record(row.record)
        except PermanentError as error:
            await dead_letters.record(_letter(row, error, tenant))
            log.error("record refused by the broker", topic=row.record.topic, reason=str(error))  # noqa: TRY400 - where it was raised says nothing
            refused.append(row.record)
    return refused


def _letter(row: OutboxRow, error: PermanentError, tenant: Ulid) -> DeadLetter:
    now = datetime.now(UTC)
    return DeadLetter(
        record=row.record,
        record_id=f"outbox/{row.seq}",
        tenant=tenant,
        reason=Reason.PERMANENT,
        error_class=type(error).__name__,
        detail=str(error),
        attempts=1,
        first_failed_at=now,
        last_failed_at=now,
    )


def _own(tx: Transaction, tenant: Ulid) -> Ulid:
    if tx.tenant != tenant:
        raise ValueError(f"an event of tenant {tenant} in a transaction of {tx.tenant}")
    return tenant
