"""What the product still holds: what will happen by itself, and what it gave up."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.faults.kafka_records import KafkaAddress, records_to_handle

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


def sqlite_work(folder: Path) -> Work:
    """Read the product's SQLite files, whoever else has them open."""
    with _reading(folder / "broker.db") as broker, _reading(folder / "recado.db") as database:
        # records first: what is handled meanwhile becomes a job, which is counted after it
        to_handle = _count(broker, _TO_HANDLE)
        kept = sum(_count(database, sql) for sql in _of_each_service(_TO_DO, _TO_PUBLISH))
        given_up = [
            row for sql in _of_each_service(_FAILED, _DEAD_LETTERS) for row in database.execute(sql)
        ]
    return Work(to_handle + kept, _as_words(given_up))


async def postgres_work(url: str, broker: KafkaAddress) -> Work:
    """Read the product's database as a superuser, and how far its groups are on Kafka."""
    to_handle = await records_to_handle(broker)  # first, as above
    connection = await asyncpg.connect(url)
    try:
        kept = [await connection.fetchval(sql) for sql in _of_each_service(_TO_DO, _TO_PUBLISH)]
        given_up = [
            row
            for sql in _of_each_service(_FAILED, _DEAD_LETTERS)
            for row in await connection.fetch(sql)
        ]
    finally:
        await connection.close()
    return Work(to_handle + sum(kept), _as_words(given_up))


def _as_words(given_up: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(f"{what}: {why}" for what, why in given_up)


def _of_each_service(*statements: str) -> Iterator[str]:
    for service in SERVICES:
        for statement in statements:
            yield statement.format(service=service)


def _reading(file: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True))


def _count(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
