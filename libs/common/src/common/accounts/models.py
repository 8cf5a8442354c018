"""The tables that several services read; the processor is their only writer."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Table
from sqlmodel import Field, SQLModel

from common.database import JsonColumn, UlidColumn, UtcTimestamp
from common.ids import Ulid


class ChannelAccountRow(SQLModel, table=True):
    """A channel account at rest: `auth_tokens` and `api_secret` are encrypted with key `key_id`."""

    __tablename__: ClassVar[Any] = "channel_accounts"

    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    tenant_id: Ulid = Field(sa_type=UlidColumn)
    account_sid: str
    auth_tokens: bytes
    api_key: str | None = None
    api_secret: bytes | None = None
    key_id: str
    senders: list[str] = Field(sa_type=JsonColumn)  # pyright: ignore[reportArgumentType] - an instance serves as well
    created_at: datetime = Field(sa_type=UtcTimestamp)


class ContactPermission(SQLModel, table=True):
    """What one contact allows one sender: no row means that the contact never wrote."""

    __tablename__: ClassVar[Any] = "contact_permissions"

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    sender: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    opted_out_at: datetime | None = Field(default=None, sa_type=UtcTimestamp)
    last_inbound_at: datetime | None = Field(default=None, sa_type=UtcTimestamp)


CHANNEL_ACCOUNTS: Table = SQLModel.metadata.tables["channel_accounts"]
CONTACT_PERMISSIONS: Table = SQLModel.metadata.tables["contact_permissions"]
