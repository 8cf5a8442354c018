"""What the product still holds: what will happen by itself, and what it gave up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("processor", "notifier")
# A conversation's silence is an hour away and sends nothing.
_TO_DO = "select count(*) from {service}_jobs where reason is null and kind <> 'timer'"
_TO_PUBLISH = "select count(*) from {service}_outbox"
_TO_HANDLE = "select count(*) from records"
_FAILED = "select kind, reason from {service}_jobs where reason is not null"
_DEAD_LETTERS = "select topic, reason || ', ' || detail from {service}_dead_letters"


@dataclass(frozen=True, slots=True)
class Work:
    """Nothing can come back once `open` is 0: neither a lease nor a row is left to return."""

    open: int
    """Jobs, outbox rows and records."""
    given_up: tuple[str, ...]
    """Failed jobs and dead letters, each as words. A plug that was pulled accounts for none."""


def read_work(folder: Path) -> Work:
    """Read the product's SQLite files, whoever else has them open."""
    with _reading(folder / "broker.db") as broker, _reading(folder / "recado.db") as database:
        # records first: what is handled meanwhile becomes a job, which is counted after it
        to_handle = _count(broker, _TO_HANDLE)
        kept = sum(_count(database, sql) for sql in _of_each_service(_TO_DO, _TO_PUBLISH))
        given_up = [
            f"{what}: {why}"
            for sql in _of_each_service(_FAILED, _DEAD_LETTERS)
            for what, why in database.execute(sql)
        ]
    return Work(to_handle + kept, tuple(given_up))


def _of_each_service(*statements: str) -> Iterator[str]:
    for service in SERVICES:
        for statement in statements:
            yield statement.format(service=service)


def _reading(file: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True))


def _count(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
