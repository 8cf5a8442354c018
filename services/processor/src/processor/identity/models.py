"""Tenants and contacts as rows."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Table
from sqlmodel import Field, SQLModel

from common.database import UlidColumn, UtcTimestamp
from common.ids import Ulid


class Tenant(SQLModel, table=True):
    """A business that Recado answers for."""

    __tablename__: ClassVar[Any] = "tenants"

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    name: str
    language: str
    created_at: datetime = Field(sa_type=UtcTimestamp)
    model: str | None = None
    """`provider:model`; without one the deployment's default answers."""
    model_url: str | None = None
    """Of a server that is called instead of the provider's."""


class Contact(SQLModel, table=True):
    """Somebody who writes to a tenant, known by one address on one channel."""

    __tablename__: ClassVar[Any] = "contacts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
        Index("contacts_address", "tenant_id", "channel", "address", unique=True),
    )

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    channel: str
    address: str
    profile_name: str | None = None
    created_at: datetime = Field(sa_type=UtcTimestamp)


TENANTS: Table = SQLModel.metadata.tables["tenants"]
CONTACTS: Table = SQLModel.metadata.tables["contacts"]
