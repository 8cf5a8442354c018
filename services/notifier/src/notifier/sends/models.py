"""The tables of sends. Their shape on disk is written in the migrations."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Table
from sqlmodel import Field, SQLModel

from common.database import JsonColumn, UlidColumn, UtcTimestamp
from common.ids import Ulid
from notifier.sends.statuses import PartState


class Send(SQLModel, table=True):
    """One `SendMessage`, stored once; `id` is the reply's."""

    __tablename__: ClassVar[Any] = "sends"

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    channel: str
    parts: int
    not_after: datetime = Field(sa_type=UtcTimestamp)
    accepted_at: datetime = Field(sa_type=UtcTimestamp)
    correlation_id: Ulid = Field(sa_type=UlidColumn)


class SendPart(SQLModel, table=True):
    """One message at the provider, of one send."""

    __tablename__: ClassVar[Any] = "send_parts"

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    send_id: Ulid = Field(sa_type=UlidColumn)
    ordinal: int
    account: Ulid = Field(sa_type=UlidColumn)
    sender: str
    recipient: str
    place: int
    """The order of everything that goes from this sender to this recipient."""
    text: str
    state: str = PartState.WAITING
    not_before: datetime = Field(sa_type=UtcTimestamp)
    """Waiting: not tried earlier. Uncertain: until then later parts wait for it."""
    claim_token: int | None = None
    claimed_at: datetime | None = Field(default=None, sa_type=UtcTimestamp)
    provider_message_id: str | None = None
    statuses: dict[str, str] = Field(default_factory=dict, sa_type=JsonColumn)  # pyright: ignore[reportArgumentType] - an instance serves as well
    conflict: bool = False
    looks: int = 0
    """How often the provider's list was searched for it, since it was last claimed."""
    resends: int = 0
    reason: str | None = None
    error_code: int | None = None


SENDS: Table = SQLModel.metadata.tables["sends"]
SEND_PARTS: Table = SQLModel.metadata.tables["send_parts"]
