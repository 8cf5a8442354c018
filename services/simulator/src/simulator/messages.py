"""Messages in both directions, as rows."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from simulator.addresses import Channel, channel_of

Direction = Literal["inbound", "outbound-api", "outbound-reply"]
"""Twilio's words; `outbound-reply` is what Twilio answered by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file that goes with a message; only where it is, never its content."""

    url: str
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message between a business's sender and a contact. Times are seconds since 1970."""

    sid: str
    account_sid: str
    direction: Direction
    sender: str
    contact: str
    body: str
    status: str
    created_at: float
    updated_at: float
    listed_at: float
    sent_at: float | None = None
    error_code: int | None = None
    service_sid: str | None = None
    media: tuple[Media, ...] = ()

    @property
    def channel(self) -> Channel:
        """The channel it travels on."""
        return channel_of(self.contact)

    @property
    def source(self) -> str:
        """The address Twilio calls `From`."""
        return self.contact if self.direction == "inbound" else self.sender

    @property
    def destination(self) -> str:
        """The address Twilio calls `To`."""
        return self.sender if self.direction == "inbound" else self.contact


_COLUMNS = (
    "sid, account_sid, direction, sender, contact, body, status, created_at, updated_at, listed_at,"
    " sent_at, error_code, service_sid, media"
)
_NEXT_VERSION = "(SELECT coalesce(max(version), 0) + 1 FROM messages)"


def add_message(tx: sqlite3.Connection, message: Message) -> None:
    """Store a new message."""
    values = {name: getattr(message, name) for name in Message.__slots__} | {
        "media": json.dumps([[file.url, file.content_type] for file in message.media])
    }
    tx.execute(
        f"INSERT INTO messages (version, {_COLUMNS}) VALUES ({_NEXT_VERSION},"  # noqa: S608
        " :sid, :account_sid, :direction, :sender, :contact, :body, :status, :created_at,"
        " :updated_at, :listed_at, :sent_at, :error_code, :service_sid, :media)",
        values,
    )


def find_message(tx: sqlite3.Connection, sid: str) -> Message | None:
    """Find a message by its SID, whose ever it is."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM messages WHERE sid = ?", (sid,)).fetchone()  # noqa: S608
    return row and message_of(row)


def set_status(
    tx: sqlite3.Connection, sid: str, status: str, *, error_code: int | None, now: float
) -> None:
    """Record what became of a message; its time of sending is when it was first `sent`."""
    tx.execute(
        f"UPDATE messages SET status = :status, error_code = :error_code, updated_at = :now,"  # noqa: S608
        " sent_at = CASE WHEN :status IN ('sent', 'delivered', 'read') THEN coalesce(sent_at, :now)"
        f" ELSE sent_at END, version = {_NEXT_VERSION} WHERE sid = :sid",
        {"sid": sid, "status": status, "error_code": error_code, "now": now},
    )


def touch(tx: sqlite3.Connection, sid: str) -> None:
    """Show the message again to who follows the conversation: its webhook got an answer."""
    tx.execute(f"UPDATE messages SET version = {_NEXT_VERSION} WHERE sid = ?", (sid,))  # noqa: S608


def last_inbound_at(tx: sqlite3.Connection, sender: str, contact: str) -> float | None:
    """Say when the contact last wrote to the sender."""
    row = tx.execute(
        "SELECT max(created_at) AS at FROM messages"
        " WHERE sender = ? AND contact = ? AND direction = 'inbound'",
        (sender, contact),
    ).fetchone()
    return row["at"]


def listed_messages(
    tx: sqlite3.Connection, conditions: Sequence[str], values: dict[str, object]
) -> list[Message]:
    """List messages, newest first, for which the `conditions` (SQL of ours) hold."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM messages WHERE {' AND '.join(conditions)}"  # noqa: S608
        " ORDER BY seq DESC LIMIT :limit",
        values,
    )
    return [message_of(row) for row in rows]


def message_of(row: sqlite3.Row) -> Message:
    """Read a message from a row that has all its columns, and perhaps more."""
    values: dict[str, Any] = {name: row[name] for name in Message.__slots__}
    files = json.loads(row["media"])
    values.update(media=tuple(Media(url=url, content_type=kind) for url, kind in files))
    return Message(**values)
