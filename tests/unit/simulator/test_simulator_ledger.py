import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from simulator.ledger import Ledger, open_ledger


def put(tx: sqlite3.Connection) -> None:
    tx.execute("INSERT INTO accounts (sid, auth_token) VALUES ('AC1', 't')")


def put_and_fail(tx: sqlite3.Connection) -> None:
    put(tx)
    raise ArithmeticError


def count(tx: sqlite3.Connection) -> int:
    return tx.execute("SELECT count(*) AS n FROM accounts").fetchone()["n"]


async def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "simulator.db") as ledger:
        with pytest.raises(ArithmeticError):
            await ledger.transaction(put_and_fail)

        assert await ledger.read(count) == 0
        await ledger.transaction(put)
        assert await ledger.read(count) == 1


async def test_what_was_committed_is_there_again_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "simulator.db"
    async with open_ledger(file) as ledger:
        await ledger.transaction(put)

    async with open_ledger(file) as ledger:
        assert await ledger.read(count) == 1


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    def pragma(tx: sqlite3.Connection, name: str) -> object:
        return tx.execute(f"PRAGMA {name}").fetchone()[0]

    async with open_ledger(tmp_path / "simulator.db") as ledger:
        assert await ledger.read(lambda tx: pragma(tx, "journal_mode")) == "wal"
        assert await ledger.read(lambda tx: pragma(tx, "synchronous")) == 2


async def test_slow_work_does_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    released = threading.Event()

    async with open_ledger(tmp_path / "simulator.db") as ledger:
        slow = asyncio.create_task(ledger.transaction(lambda _: released.wait(10)))
        await asyncio.sleep(0)
        released.set()  # never reached if the loop stood still

        assert await slow


async def test_transactions_do_not_mix(tmp_path: Path) -> None:
    async def raise_counter(ledger: Ledger) -> None:
        def work(tx: sqlite3.Connection) -> None:
            token = tx.execute("SELECT auth_token FROM accounts").fetchone()["auth_token"]
            tx.execute("UPDATE accounts SET auth_token = ?", (f"{token}t",))

        await ledger.transaction(work)

    async with open_ledger(tmp_path / "simulator.db") as ledger:
        await ledger.transaction(put)
        await asyncio.gather(*(raise_counter(ledger) for _ in range(20)))

        token = await ledger.read(lambda tx: tx.execute("SELECT * FROM accounts").fetchone()[1])
        assert token == "t" * 21
