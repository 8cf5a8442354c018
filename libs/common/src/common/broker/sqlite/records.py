"""The records of the sqlite transport as rows, and the few statements on them.

Only the *head* of each key, its oldest record, can be taken; `head` is kept in the row, so that
taking costs the same however many records wait behind. A taken record carries a token and a time
until which it is leased. Every function here runs inside one transaction.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, text

from common.broker.headers import HeadersColumn
from common.broker.transport import Delivery
from common.database import Transaction, UtcTimestamp
from common.events import Record
from common.ids import Ulid, new_id

_CREATE = (
    """
    create table if not exists records (
        seq         integer primary key autoincrement,
        id          text not null,
        topic       text not null,
        key         text not null,
        headers     text not null,
        value       blob not null,
        head        integer not null,
        token       text,
        lease_until integer
    )
    """,
    "create index if not exists records_of_key on records (topic, key, seq)",
    "create index if not exists records_free on records (topic, seq) where head and token is null",
    "create index if not exists records_leased on records (lease_until) where token is not null",
)

_INSERT = text(
    """
    insert into records (id, topic, key, headers, value, head)
    values (:id, :topic, :key, :headers, :value,
            not exists (select 1 from records where topic = :topic and key = :key))
    """
).bindparams(bindparam("headers", type_=HeadersColumn))

_ANY_FREE = text(
    "select exists (select 1 from records where topic in :topics and head and token is null)"
    " or exists (select 1 from records where token is not null and lease_until <= :now)"
).bindparams(bindparam("topics", expanding=True), bindparam("now", type_=UtcTimestamp))

_RETURN_LOST = text(
    "update records set token = null where token is not null and lease_until <= :now"
).bindparams(bindparam("now", type_=UtcTimestamp))

_TAKE = (
    text(
        """
        update records set token = :token, lease_until = :until
        where seq in (select seq from records where topic = :topic and head and token is null
                      order by seq limit :limit)
        returning seq, id, topic, key, headers, value
        """
    )
    .bindparams(bindparam("until", type_=UtcTimestamp))
    .columns(headers=HeadersColumn)
)

_DELETE = text("delete from records where seq = :seq and token = :token")
_PROMOTE = text(
    "update records set head = true where seq ="
    " (select min(seq) from records where topic = :topic and key = :key)"
)
_RENEW = text(
    "update records set lease_until = :until where seq = :seq and token = :token"
).bindparams(bindparam("until", type_=UtcTimestamp))
_RELEASE = text(
    "update records set token = null where token is not null and substr(token, 1, 26) = :holder"
)

_COUNT = text(
    "select topic, count(*) as records from records where topic in :topics group by topic"
).bindparams(bindparam("topics", expanding=True))
_COUNT_TAKEN = text(
    """
    select held.topic, count(*) as records
    from records held join records other on other.topic = held.topic and other.key = held.key
    where held.token is not null and held.topic in :topics
      and (other.seq = held.seq or substr(held.token, 1, 26) != :holder)
    group by held.topic
    """
).bindparams(bindparam("topics", expanding=True))


@dataclass(frozen=True, slots=True)
class Claim:
    """Which delivery of which row: the token of the sqlite transport."""

    seq: int
    token: str
    """The holder's id and one of the claim's own, so that no two claims have the same."""

    @property
    def named(self) -> dict[str, object]:
        """The claim as a statement's parameters."""
        return {"seq": self.seq, "token": self.token}


def create(tx: Transaction) -> None:
    """Create the table unless it stands."""
    for statement in _CREATE:
        tx.execute(text(statement))


def insert(tx: Transaction, record: Record) -> None:
    """Append a record behind those of its key."""
    tx.execute(
        _INSERT,
        {
            "id": str(new_id()),
            "topic": record.topic,
            "key": record.key,
            "headers": record.headers,
            "value": record.value,
        },
    )


def any_free(tx: Transaction, topics: Sequence[str]) -> bool:
    """Tell whether `take` would find something; a cheap look that writes nothing."""
    return bool(tx.execute(_ANY_FREE, {"topics": topics, "now": tx.now}).scalar_one())


def take(
    tx: Transaction, topics: Sequence[str], holder: Ulid, *, limit: int, lease: timedelta
) -> list[Delivery]:
    """Lease up to `limit` heads, topic after topic, the oldest of each first.

    Leases that were lost end before.
    """
    tx.execute(_RETURN_LOST, {"now": tx.now})
    token = f"{holder}{new_id()}"
    until = tx.now + lease
    deliveries: list[Delivery] = []
    for topic in topics:
        room = limit - len(deliveries)
        if room > 0:
            rows = tx.execute(
                _TAKE, {"topic": topic, "token": token, "until": until, "limit": room}
            )
            deliveries += [_delivery(row, token) for row in sorted(rows, key=lambda row: row.seq)]
    return deliveries


def remove(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
    """Delete what is still ours, and let the next record of each key be taken."""
    tx.execute(_DELETE, [claim_of(delivery).named for delivery in deliveries])
    keys = [(delivery.record.topic, delivery.record.key) for delivery in deliveries]
    tx.execute(_PROMOTE, [{"topic": topic, "key": key} for topic, key in keys])


def renew(tx: Transaction, claims: Iterable[Claim], lease: timedelta) -> set[Claim]:
    """Lengthen the leases that are still ours; return those that are not."""
    until = tx.now + lease
    return {
        claim
        for claim in claims
        if tx.execute(_RENEW, {**claim.named, "until": until}).rowcount == 0
    }


def count_waiting(tx: Transaction, topics: Sequence[str], holder: Ulid) -> Counter[str]:
    """Count by topic what this holder may come to take: all but what it has, and others' keys."""
    named = {"topics": topics}
    counts = Counter[str]({row.topic: row.records for row in tx.execute(_COUNT, named)})
    for row in tx.execute(_COUNT_TAKEN, named | {"holder": str(holder)}):
        counts[row.topic] -= row.records
    return counts


def release(tx: Transaction, holder: Ulid) -> None:
    """Make free to take whatever this holder has."""
    tx.execute(_RELEASE, {"holder": str(holder)})


def claim_of(delivery: Delivery) -> Claim:
    """Return the delivery's token as what this transport put there."""
    if not isinstance(delivery.token, Claim):
        raise TypeError(f"a delivery of another transport: {delivery.token!r}")
    return delivery.token


def _delivery(row: Row[Any], token: str) -> Delivery:
    return Delivery(
        Record(row.topic, row.key, row.headers, row.value),
        record_id=row.id,
        token=Claim(row.seq, token),
        # one claim and not one key: a key whose lease was lost may be held again by a later claim
        shard=f"{row.seq}/{token}",
    )
