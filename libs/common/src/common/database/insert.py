"""Insert what may be there already: the natural key in the database makes redelivery harmless."""

from typing import Any, cast

from sqlalchemy import FromClause, Table
from sqlalchemy.dialects import postgresql, sqlite

from common.database.transaction import Transaction


def insert_once(tx: Transaction, table: FromClause, values: dict[str, Any]) -> bool:
    """Insert a row unless one with the same unique key stands; tell whether it was new."""
    dialect = postgresql if tx.dialect == "postgresql" else sqlite
    inserted = tx.execute(
        dialect.insert(cast("Table[Any]", table)).values(values).on_conflict_do_nothing()
    )
    return inserted.rowcount == 1
