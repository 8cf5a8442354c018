"""Insert what may be there already: the natural key in the database makes redelivery harmless."""

from functools import cache
from typing import Any, cast

from sqlalchemy import FromClause, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from common.database.transaction import Transaction


def insert_once(tx: Transaction, table: FromClause, values: dict[str, Any]) -> bool:
    """Insert a row unless one with the same unique key stands; tell whether it was new."""
    return tx.execute(_insert(table, tx.dialect), values).rowcount == 1


@cache
def _insert(table: FromClause, dialect: str) -> Insert:
    spoken = postgresql if dialect == "postgresql" else sqlite
    return spoken.insert(cast("Table[Any]", table)).on_conflict_do_nothing()
