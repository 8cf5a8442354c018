"""Rows: one way to open a transaction over Postgres and SQLite.

A transaction is one synchronous function. So it runs whole in SQLite's single writer thread, it
can be run again, and no network call can hide inside it.
"""

from common.database.connect import Database, open_database
from common.database.insert import insert_once
from common.database.transaction import Transaction, ask_nothing
from common.database.types import JsonColumn, UlidColumn, UtcTimestamp

__all__ = [
    "Database",
    "JsonColumn",
    "Transaction",
    "UlidColumn",
    "UtcTimestamp",
    "ask_nothing",
    "insert_once",
    "open_database",
]
