"""What is to come true and be told by webhook, and every attempt to tell it, as rows."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.overrides import Failure

Kind = Literal["inbound", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A webhook to be posted at a time; without a URL a status comes true silently."""

    kind: Kind
    message_sid: str
    status: str
    url: str | None
    form: Mapping[str, str]
    token: str
    due_at: float
    error_code: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(NewDelivery):
    """One that is stored."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to a webhook and how it ended: a status code, or no answer."""

    at: float
    seconds: float
    status_code: int | None = None
    failure: Failure | None = None


def schedule(tx: sqlite3.Connection, delivery: NewDelivery) -> None:
    """Store it. Those of one message must be scheduled in the order in which they are due."""
    tx.execute(
        "INSERT INTO deliveries"
        " (kind, message_sid, status, error_code, url, form, token, fault, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            delivery.kind,
            delivery.message_sid,
            delivery.status,
            delivery.error_code,
            delivery.url,
            json.dumps(dict(delivery.form)),
            delivery.token,
            delivery.fault,
            delivery.due_at,
        ),
    )


def due_deliveries(tx: sqlite3.Connection, *, now: float, limit: int) -> list[Delivery]:
    """List the unfinished ones that are due, of each message only the first."""
    rows = tx.execute(
        "SELECT id, kind, message_sid, status, error_code, url, form, token, fault, due_at"
        " FROM deliveries AS delivery WHERE finished_at IS NULL AND due_at <= :now"
        " AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.finished_at IS NULL"
        " AND earlier.message_sid = delivery.message_sid AND earlier.id < delivery.id)"
        " ORDER BY due_at, id LIMIT :limit",
        {"now": now, "limit": limit},
    )
    return [Delivery(**dict(row) | {"form": json.loads(row["form"])}) for row in rows]


def next_due_at(tx: sqlite3.Connection, *, now: float) -> float | None:
    """Say when the next one that is not yet due will be."""
    row = tx.execute(
        "SELECT min(due_at) AS at FROM deliveries WHERE finished_at IS NULL AND due_at > ?", (now,)
    ).fetchone()
    return row["at"]


def record_attempt(tx: sqlite3.Connection, delivery_id: int, attempt: Attempt) -> None:
    """Keep one attempt."""
    tx.execute(
        "INSERT INTO attempts (delivery_id, at, seconds, status_code, failure)"
        " VALUES (?, ?, ?, ?, ?)",
        (delivery_id, attempt.at, attempt.seconds, attempt.status_code, attempt.failure),
    )


def finish(tx: sqlite3.Connection, delivery_id: int, last: Attempt | None, *, now: float) -> None:
    """End a delivery with what its last attempt came to; there is none if nothing was posted."""
    tx.execute(
        "UPDATE deliveries SET finished_at = ?, status_code = ?, failure = ? WHERE id = ?",
        (now, last and last.status_code, last and last.failure, delivery_id),
    )
