"""Statements on documents and passages. Each is of the transaction's tenant alone."""

from sqlalchemy import delete, insert
from sqlalchemy.dialects import postgresql, sqlite

from common.database import Transaction
from common.ids import derived_id
from processor.knowledge.models import DOCUMENTS, PASSAGES, Document, Passage
from processor.words import stems_told


def put_document(tx: Transaction, document: Document) -> None:
    """Store a document and its passages in place of an earlier version."""
    dialect = postgresql if tx.dialect == "postgresql" else sqlite
    statement = dialect.insert(DOCUMENTS).values(document.model_dump())
    changes = {
        name: statement.excluded[name]
        for name in ("language", "title", "keywords", "text", "updated_at")
    }
    tx.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=changes))
    tx.execute(
        delete(PASSAGES).where(
            PASSAGES.c.tenant_id == tx.tenant, PASSAGES.c.document_id == document.id
        )
    )
    for passage in passages_of(document):
        tx.execute(insert(PASSAGES).values(passage.model_dump()))


def passages_of(document: Document) -> list[Passage]:
    """Cut a document at its blank lines."""
    paragraphs = [part.strip() for part in document.text.split("\n\n") if part.strip()]
    subject = _joined(stems_told(f"{document.title} {document.keywords}"))
    return [
        Passage(
            tenant_id=document.tenant_id,
            id=derived_id(str(document.id), str(ordinal)),
            document_id=document.id,
            ordinal=ordinal,
            language=document.language,
            text=paragraph,
            subject=subject,
            said=_joined(stems_told(paragraph)),
        )
        for ordinal, paragraph in enumerate(paragraphs)
    ]


def _joined(stems: set[str]) -> str:
    return " ".join(sorted(stems))
