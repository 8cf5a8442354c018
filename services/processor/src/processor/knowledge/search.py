"""Passages that share a word with a question, by the full-text search of either database.

Postgres uses no index for `@@` behind row-level security, since the operator is not leakproof (seen
in the plan): the tenant's part of the primary key bounds the search there.
"""

from collections.abc import Set as AbstractSet

from sqlalchemy import TextClause, bindparam, func, select, text

from common.database import Transaction, UlidColumn
from processor.knowledge.models import PASSAGES
from processor.knowledge.relevance import Candidate

_AT_MOST = 200
_COLUMNS = (
    PASSAGES.c.id,
    PASSAGES.c.document_id,
    PASSAGES.c.ordinal,
    PASSAGES.c.language,
    PASSAGES.c.text,
    PASSAGES.c.subject,
    PASSAGES.c.said,
)


_COUNT = (
    select(func.count()).select_from(PASSAGES).where(PASSAGES.c.tenant_id == bindparam("tenant"))
)


def _statement(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("tenant", type_=UlidColumn))


_POSTGRES = _statement("""
    select id, document_id, ordinal, language, text, subject, said from passages
    where tenant_id = :tenant and search @@ cast(:words as tsquery)
    order by ts_rank(search, cast(:words as tsquery)) desc, id limit :limit
""").columns(*_COLUMNS)

# The index holds every tenant's passages: with the tenant among the words it reads those of one.
_SQLITE = _statement("""
    select p.id, p.document_id, p.ordinal, p.language, p.text, p.subject, p.said
    from passage_index i join passages p on p.tenant_id = i.tenant_id and p.id = i.passage_id
    where p.tenant_id = :tenant and passage_index match 'tenant_id:' || :tenant || ' AND ' || :words
    order by bm25(passage_index), p.id limit :limit
""").columns(*_COLUMNS)


def candidates(tx: Transaction, question: AbstractSet[str]) -> list[Candidate]:
    """Return the tenant's passages that have any of these stems; of very many the most relevant."""
    if not question:
        return []
    # A stem is letters and digits alone (`processor.words`): quoting it is all there is to do.
    if tx.dialect == "postgresql":
        statement, words = _POSTGRES, " | ".join(f"'{stem}'" for stem in sorted(question))
    else:
        statement, words = _SQLITE, " OR ".join(f'"{stem}"' for stem in sorted(question))
        words = f"stems:({words})"
    rows = tx.execute(statement, {"tenant": tx.tenant, "words": words, "limit": _AT_MOST})
    return [
        Candidate(
            id=row.id,
            document=row.document_id,
            ordinal=row.ordinal,
            language=row.language,
            text=row.text,
            subject=frozenset(row.subject.split()),
            said=frozenset(row.said.split()),
        )
        for row in rows
    ]


def count_passages(tx: Transaction) -> int:
    """Return how many passages the tenant has."""
    return tx.execute(_COUNT, {"tenant": tx.tenant}).scalar_one()
