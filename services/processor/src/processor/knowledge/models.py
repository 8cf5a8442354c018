"""Documents and passages as rows."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Table
from sqlmodel import Field, SQLModel

from common.database import UlidColumn, UtcTimestamp
from common.ids import Ulid


class Document(SQLModel, table=True):
    """One subject, in one language, as the tenant wrote it."""

    __tablename__: ClassVar[Any] = "documents"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),)

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    language: str
    title: str
    keywords: str
    text: str
    updated_at: datetime = Field(sa_type=UtcTimestamp)


class Passage(SQLModel, table=True):
    """A paragraph of a document: what can be quoted. It is found by stems (`processor.words`)."""

    __tablename__: ClassVar[Any] = "passages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["documents.tenant_id", "documents.id"],
            ondelete="CASCADE",
        ),
        Index("passages_of_document", "tenant_id", "document_id", "ordinal", unique=True),
    )

    tenant_id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    id: Ulid = Field(primary_key=True, sa_type=UlidColumn)
    document_id: Ulid = Field(sa_type=UlidColumn)
    ordinal: int
    language: str
    text: str
    subject: str
    """Those of the document's title and keywords."""
    said: str
    """Those of the text."""


DOCUMENTS: Table = SQLModel.metadata.tables["documents"]
PASSAGES: Table = SQLModel.metadata.tables["passages"]
