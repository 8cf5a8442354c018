"""Conversations, their messages and turns as rows."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Table, text
from sqlmodel import Field, SQLModel

from common.database import JsonColumn, UlidColumn, UtcTimestamp
from common.ids import Ulid

INBOUND = "inbound"
OUTBOUND = "outbound"


def _only_where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class Conversation(SQLModel, table=True):
    """One exchange of a contact with one of our senders; at most one of them is open."""

    __tablename__: ClassVar[Any] = "conversations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
        Index(
            "conversations_open",
            *("tenant_id", "contact_id", "sender"),
            unique=True,
            **_only_where("state <> 'closed'"),
        ),
        Index("conversations_of_contact", "tenant_id", "contact_id", "sender", "opened_at"),
    )

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    contact_id: Ulid = Field(sa_type=UlidColumn)
    account_id: Ulid = Field(sa_type=UlidColumn)
    channel: str
    sender: str
    recipient: str
    state: str
    closing: str | None = None
    version: int = 1
    """Counts the writes; delivery statuses are none."""
    next_seq: int = 1
    """The place of the next message, taken under the row's lock: order is order of commit."""
    previous_id: Ulid | None = Field(default=None, sa_type=UlidColumn)
    opened_at: datetime = Field(sa_type=UtcTimestamp)
    active_at: datetime = Field(sa_type=UtcTimestamp)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTimestamp)


class Turn(SQLModel, table=True):
    """One answer in the making; it keeps its id however often it is begun again.

    How it ended is told by the messages that carry its id.
    """

    __tablename__: ClassVar[Any] = "turns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        Index(
            "turns_open",
            *("tenant_id", "conversation_id"),
            unique=True,
            **_only_where("ended_at is null"),
        ),
    )

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    conversation_id: Ulid = Field(sa_type=UlidColumn)
    opened_at: datetime = Field(sa_type=UtcTimestamp)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTimestamp)


class Message(SQLModel, table=True):
    """One message of either side. An inbound one ends in exactly one outcome."""

    __tablename__: ClassVar[Any] = "messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "turn_id"], ["turns.tenant_id", "turns.id"]),
        Index(
            "messages_received_once",
            *("tenant_id", "account_id", "provider_message_id"),
            unique=True,
            **_only_where("direction = 'inbound'"),
        ),
        Index("messages_in_order", "tenant_id", "conversation_id", "seq", unique=True),
        Index(
            "messages_undecided",
            *("tenant_id", "conversation_id", "seq"),
            **_only_where("direction = 'inbound' and outcome is null"),
        ),
        Index(
            "messages_one_reply_a_turn",
            *("tenant_id", "turn_id"),
            unique=True,
            **_only_where("direction = 'outbound'"),
        ),
        Index(
            "messages_covered_by",
            *("tenant_id", "reply_id"),
            **_only_where("reply_id is not null"),
        ),
    )

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    conversation_id: Ulid = Field(sa_type=UlidColumn)
    seq: int
    direction: str
    account_id: Ulid = Field(sa_type=UlidColumn)
    provider_message_id: str | None = None
    correlation_id: Ulid = Field(sa_type=UlidColumn)
    text: str
    media: list[dict[str, str]] = Field(sa_type=JsonColumn)  # pyright: ignore[reportArgumentType] - an instance serves as well
    attributes: dict[str, str] = Field(sa_type=JsonColumn)  # pyright: ignore[reportArgumentType] - as above
    sent_at: datetime = Field(sa_type=UtcTimestamp)
    """Inbound: when the gateway took it. Outbound: when it was written."""
    stored_at: datetime = Field(sa_type=UtcTimestamp)
    outcome: str | None = None
    turn_id: Ulid | None = Field(default=None, sa_type=UlidColumn)
    reply_id: Ulid | None = Field(default=None, sa_type=UlidColumn)


class ReplyDelivery(SQLModel, table=True):
    """One fact about one part of a reply. Facts are only added, so their order is no matter."""

    __tablename__: ClassVar[Any] = "reply_deliveries"

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    message_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    part_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    status: str = Field(primary_key=True)
    ordinal: int
    parts: int
    at: datetime = Field(sa_type=UtcTimestamp)
    reason: str | None = None
    error_code: int | None = None
    provider_message_id: str | None = None


def storable(text: str) -> str:
    """Take out NUL, which a message may contain and no text of Postgres may."""
    return text.replace("\0", "")


CONVERSATIONS: Table = SQLModel.metadata.tables["conversations"]
TURNS: Table = SQLModel.metadata.tables["turns"]
MESSAGES: Table = SQLModel.metadata.tables["messages"]
REPLY_DELIVERIES: Table = SQLModel.metadata.tables["reply_deliveries"]
