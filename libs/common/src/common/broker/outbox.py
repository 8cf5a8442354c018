"""Events that a transaction must publish, kept as rows of that transaction.

They leave the database by the service's `publish` job of their key: read, published one after the
other, forgotten in the transaction that ends the job. So an event may be published twice and late,
never out of the order of first occurrences and never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
)

from common.broker.headers import HeadersColumn
from common.broker.transport import refuse_oversized
from common.database import Transaction, UlidColumn
from common.events import Event, Record, encode
from common.ids import Ulid
from common.observability import tracing


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
            Column("topic", Text, nullable=False),
            Column("key", Text, nullable=False),
            Column("headers", HeadersColumn, nullable=False),
            Column("value", LargeBinary, nullable=False),
        )

    def append(self, tx: Transaction, event: Event[Any]) -> None:
        """Keep the event, with the span of now, to be published after the commit.

        Schedule the `publish` job of the event's key in `tx` before: its row lock makes the order
        of `seq` the order of the commits. Raises `PermanentError` for an event too large to send.
        """
        record = encode(event)
        refuse_oversized(record)
        tx.execute(
            insert(self._table).values(
                tenant_id=_own(tx, event.tenant),
                topic=record.topic,
                key=record.key,
                headers=tracing.inject(record.headers),
                value=record.value,
            )
        )

    def pending(self, tx: Transaction, key: str, limit: int) -> list[OutboxRow]:
        """Return the first `limit` records of the key, in sequence."""
        table = self._table
        rows = tx.execute(
            select(table)
            .where(table.c.tenant_id == tx.tenant, table.c.key == key)
            .order_by(table.c.seq)
            .limit(limit)
        )
        return [
            OutboxRow(row.seq, Record(row.topic, row.key, row.headers, row.value)) for row in rows
        ]

    def forget(self, tx: Transaction, rows: Sequence[OutboxRow]) -> None:
        """Remove records that the broker has. In the transaction that ends the `publish` job."""
        table = self._table
        tx.execute(
            delete(table).where(
                table.c.tenant_id == tx.tenant, table.c.seq.in_([row.seq for row in rows])
            )
        )


def _own(tx: Transaction, tenant: Ulid) -> Ulid:
    if tx.tenant != tenant:
        raise ValueError(f"an event of tenant {tenant} in a transaction of {tx.tenant}")
    return tenant
