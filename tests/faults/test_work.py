"""What is counted as still to happen, and as given up, in files with the product's own tables."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.broker.schema import create_dead_letters, create_outbox
from common.broker.sqlite.records import create
from common.database import open_database
from common.jobs.schema import create_jobs
from tests.faults.work import SERVICES, Work, sqlite_work

AT_REST = Work(0, ())

Put = Callable[..., None]


@pytest.fixture
async def put(tmp_path: Path) -> Put:
    """Put a row into a table of one of the product's files, whatever else its columns are."""
    with closing(sqlite3.connect(tmp_path / "recado.db")) as database:
        for service in SERVICES:
            for make in (create_jobs, create_outbox, create_dead_letters):
                for statement in make(service, "sqlite"):
                    database.execute(statement)
        database.commit()
    broker = f"sqlite:///{tmp_path / 'broker.db'}"
    async with open_database(broker, pool_size=1, busy_seconds=5.0) as opened:
        await opened.transaction(create)

    def put(file: str, table: str, **values: object) -> None:
        with closing(sqlite3.connect(tmp_path / file)) as connection:
            required = connection.execute(
                "select name, 0 from pragma_table_info(?) where [notnull]", (table,)
            )
            row: dict[str, object] = {**dict(required.fetchall()), **values}
            places = ", ".join("?" * len(row))
            connection.execute(
                f"insert into {table} ({', '.join(row)}) values ({places})", [*row.values()]
            )
            connection.commit()

    return put


@pytest.mark.usefixtures("put")
def test_where_nothing_is_left_all_is_at_rest(tmp_path: Path) -> None:
    assert sqlite_work(tmp_path) == AT_REST


def test_a_record_that_may_come_back_is_open(tmp_path: Path, put: Put) -> None:
    put("broker.db", "records", token="held", lease_until=1 << 60)

    assert sqlite_work(tmp_path) == Work(1, ())


@pytest.mark.parametrize("service", SERVICES)
def test_a_row_to_publish_is_open(tmp_path: Path, put: Put, service: str) -> None:
    put("recado.db", f"{service}_outbox")

    assert sqlite_work(tmp_path) == Work(1, ())


@pytest.mark.parametrize(("service", "kind"), [("processor", "turn"), ("notifier", "reconcile")])
def test_a_job_is_open(tmp_path: Path, put: Put, service: str, kind: str) -> None:
    put("recado.db", f"{service}_jobs", kind=kind)

    assert sqlite_work(tmp_path) == Work(1, ())


def test_a_conversation_that_waits_for_its_silence_is_at_rest(tmp_path: Path, put: Put) -> None:
    put("recado.db", "processor_jobs", kind="timer")

    assert sqlite_work(tmp_path) == AT_REST


def test_a_failed_job_is_given_up(tmp_path: Path, put: Put) -> None:
    put("recado.db", "processor_jobs", kind="timer", reason="RuntimeError: always")

    assert sqlite_work(tmp_path) == Work(0, ("timer: RuntimeError: always",))


def test_a_dead_letter_is_given_up(tmp_path: Path, put: Put) -> None:
    why = {"reason": "undecodable", "detail": "not JSON"}
    put("recado.db", "notifier_dead_letters", topic="messages.send", **why)

    assert sqlite_work(tmp_path) == Work(0, ("messages.send: undecodable, not JSON",))
