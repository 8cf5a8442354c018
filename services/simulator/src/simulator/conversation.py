"""The conversation between a contact and a sender, as the phone and `recado say` see it."""

import sqlite3
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from simulator.messages import message_of

_MOST_AT_ONCE = 500


class WebhookOutcome(BaseModel):
    """What became of the webhook of a customer's message, so far."""

    state: Literal["pending", "delivered", "failed"]
    status_code: int | None = Field(
        default=None, description="Of the last attempt that had an answer."
    )
    failure: str | None = Field(default=None, description="`ct`: no connection; `rt`: no answer.")


class Bubble(BaseModel):
    """A message as it stands; a later one with the same `sid` replaces it."""

    sid: str
    cursor: int = Field(description="Rises with every change of any message.")
    order: int = Field(description="Rises with every new message and stays.")
    direction: Literal["inbound", "outbound"]
    text: str
    media: list[str] = Field(description="URLs.")
    at: datetime
    status: str = Field(description="Twilio's word: received, queued, sent, delivered, read ...")
    error_code: int | None = None
    webhook: WebhookOutcome | None = None


def messages_after(
    tx: sqlite3.Connection, *, sender: str, contact: str, sid: str | None
) -> list[Bubble]:
    """List the conversation from its beginning, or after the message `sid`, in order of arrival."""
    begin = tx.execute("SELECT seq FROM messages WHERE sid = ?", (sid,)).fetchone()
    after = begin["seq"] if begin else 0
    return _bubbles(tx, "seq > :after ORDER BY seq", sender, contact, after)


def changes_after(
    tx: sqlite3.Connection, *, sender: str, contact: str, cursor: int
) -> list[Bubble]:
    """List the messages that are new or have changed since, in the order of their last change.

    At most 500; ask again with the last one's cursor until the list is empty. A cursor that was
    never given out, as of a ledger that was removed, counts as none.
    """
    latest = tx.execute("SELECT coalesce(max(version), 0) AS version FROM messages").fetchone()
    after = cursor if cursor <= latest["version"] else 0
    limit = f"LIMIT {_MOST_AT_ONCE}"
    return _bubbles(tx, f"version > :after ORDER BY version {limit}", sender, contact, after)


def _bubbles(
    tx: sqlite3.Connection, which: str, sender: str, contact: str, after: int
) -> list[Bubble]:
    rows = tx.execute(
        "SELECT messages.*, delivery.finished_at, attempt.status_code AS answered,"  # noqa: S608
        " attempt.failure AS failure FROM messages LEFT JOIN deliveries AS delivery"
        " ON delivery.id ="
        " (SELECT min(id) FROM deliveries WHERE message_sid = sid AND kind = 'inbound')"
        " LEFT JOIN attempts AS attempt ON attempt.id ="
        " (SELECT max(id) FROM attempts WHERE delivery_id = delivery.id)"
        f" WHERE sender = :sender AND contact = :contact AND {which}",
        {"sender": sender, "contact": contact, "after": after},
    )
    return [_bubble(row) for row in rows]


def _bubble(row: sqlite3.Row) -> Bubble:
    message = message_of(row)
    inbound = message.direction == "inbound"
    return Bubble(
        sid=message.sid,
        cursor=row["version"],
        order=row["seq"],
        direction="inbound" if inbound else "outbound",
        text=message.body,
        media=[file.url for file in message.media],
        at=datetime.fromtimestamp(message.created_at, UTC),
        status=message.status,
        error_code=message.error_code,
        webhook=_webhook(row) if inbound else None,
    )


def _webhook(row: sqlite3.Row) -> WebhookOutcome:
    answered: int | None = row["answered"]
    if answered is not None and answered < 400:  # noqa: PLR2004
        return WebhookOutcome(state="delivered", status_code=answered)
    state = "pending" if row["finished_at"] is None else "failed"
    return WebhookOutcome(state=state, status_code=answered, failure=row["failure"])
