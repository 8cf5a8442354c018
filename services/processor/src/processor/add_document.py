"""Something that the assistant may tell a tenant's customers."""

from typing import Literal

from common.database import Database, Transaction
from common.ids import Ulid
from processor.knowledge.models import Document
from processor.knowledge.repository import put_document


class AddDocument:
    """Adds a document, or puts a new version in the place of the old one."""

    def __init__(self, database: Database) -> None:
        """Take where documents live."""
        self._database = database

    async def __call__(
        self,
        document: Ulid,
        *,
        tenant: Ulid,
        language: Literal["pt", "en"],
        title: str,
        text: str,
        keywords: str = "",
    ) -> None:
        """Store the document. Its paragraphs are answers: each must be understood alone.

        `keywords` are words that customers use and `text` does not. Doing it again changes nothing.
        """

        def put(tx: Transaction) -> None:
            row = Document(
                tenant_id=tenant,
                id=document,
                language=language,
                title=title,
                keywords=keywords,
                text=text,
                updated_at=tx.now,
            )
            put_document(tx, row)

        await self._database.transaction(put, tenant=tenant)
