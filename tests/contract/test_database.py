"""One way to open a transaction: the same promises over SQLite and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Column, Insert, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from common.database import (
    Database,
    JsonColumn,
    Transaction,
    UlidColumn,
    UtcTimestamp,
    insert_once,
    open_database,
)
from common.errors import DependencyDown
from common.ids import Ulid, new_id
from common.testing import eventually
from tests.servers.postgres import PostgresDatabase

NOTES = Table(
    "notes",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("writer", UlidColumn),
    Column("at", UtcTimestamp),
    Column("extra", JsonColumn),
)
KILL_SLEEPERS = """
select pg_terminate_backend(pid) from pg_stat_activity
where wait_event = 'PgSleep' and datname = current_database()
"""
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/notes.db"
    database: PostgresDatabase = request.getfixturevalue("postgres_database")
    return database.admin_url


@pytest.fixture
async def databases(url: str) -> AsyncIterator[list[Database]]:
    """Two processes' view of one database that holds an empty table."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_database(url, pool_size=2, busy_seconds=0.5))
            for _ in range(2)
        ]
        await opened[0].transaction(lambda tx: NOTES.create(tx.connection))
        yield opened


@pytest.fixture
def database(databases: list[Database]) -> Database:
    return databases[0]


def write(number: int, writer: Ulid | None = None) -> Insert:
    return insert(NOTES).values(number=number, writer=writer, at=LONG_AGO, extra={"n": number})


def numbers(tx: Transaction) -> list[int]:
    return list(tx.execute(select(NOTES.c.number).order_by(NOTES.c.number)).scalars())


async def test_what_a_transaction_wrote_is_there_after_it(databases: list[Database]) -> None:
    one = new_id()

    await databases[0].transaction(lambda tx: tx.execute(write(1, one)))

    row = await databases[1].read(lambda tx: tx.execute(select(NOTES)).one())
    assert (row.number, row.writer, row.at, row.extra) == (1, one, LONG_AGO, {"n": 1})


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        tx.execute(write(1))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transaction(fail)

    assert await database.read(numbers) == []
    assert await database.transaction(numbers) == []


async def test_callbacks_run_after_the_commit_and_never_after_a_rollback(
    databases: list[Database],
) -> None:
    called: list[str] = []

    def work(tx: Transaction, *, fails: bool) -> None:
        tx.after_commit(lambda: called.append("failed" if fails else "committed"))
        if fails:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await databases[0].transaction(lambda tx: work(tx, fails=True))
    await databases[0].transaction(lambda tx: work(tx, fails=False))

    assert called == ["committed"]


async def test_a_transaction_belongs_to_the_work_that_opened_it(database: Database) -> None:
    name = ContextVar("name", default="nobody's")
    name.set("ours")

    assert await database.transaction(lambda _: name.get()) == "ours"
    assert await database.read(lambda _: name.get()) == "ours"


async def test_a_row_that_stands_is_not_inserted_again(database: Database) -> None:
    def twice(tx: Transaction) -> list[bool]:
        return [insert_once(tx, NOTES, {"number": 1}) for _ in range(2)]

    assert await database.transaction(twice) == [True, False]


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises((DBAPIError, DependencyDown)):
        await database.read(lambda tx: tx.execute(write(1)))


async def test_a_mistake_in_the_work_is_not_taken_for_an_outage(database: Database) -> None:
    await database.transaction(lambda tx: tx.execute(write(1)))

    with pytest.raises(IntegrityError):
        await database.transaction(lambda tx: tx.execute(write(1)))


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is refused

    with pytest.raises(Exception, match="without a zone"):
        await database.transaction(lambda tx: insert_once(tx, NOTES, {"number": 1, "at": naive}))


async def test_the_databases_time_is_now_and_in_utc(database: Database) -> None:
    now = await database.transaction(lambda tx: tx.now)

    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert now.utcoffset() == timedelta(0)


async def test_many_writers_take_turns(databases: list[Database]) -> None:
    def add(tx: Transaction, number: int) -> None:
        highest = tx.execute(text("select count(*) from notes")).scalar_one()
        insert_once(tx, NOTES, {"number": number, "extra": {"seen": highest}})

    await asyncio.gather(
        *(databases[n % 2].transaction(lambda tx, n=n: add(tx, n)) for n in range(40))
    )

    assert await databases[0].read(numbers) == list(range(40))


class TestPostgres:
    """What only Postgres does."""

    @pytest.fixture
    def url(self, postgres_database: PostgresDatabase) -> str:
        return postgres_database.admin_url

    async def test_the_tenant_is_set_inside_its_transaction_only(self, database: Database) -> None:
        tenant = new_id()
        current = text("select current_setting('app.tenant', true)")

        inside = await database.transaction(
            lambda tx: tx.execute(current).scalar_one(), tenant=tenant
        )
        after = [
            await database.transaction(lambda tx: tx.execute(current).scalar_one())
            for _ in range(4)
        ]

        assert inside == str(tenant.to_uuid())
        assert set(after) <= {None, ""}

    async def test_a_killed_connection_is_an_outage_and_the_next_transaction_works(
        self, database: Database, url: str
    ) -> None:
        def stay(tx: Transaction) -> None:
            tx.execute(write(1))
            tx.execute(text("select pg_sleep(30)"))

        hanging = asyncio.create_task(database.transaction(stay))
        await _kill_sleepers(url)

        with pytest.raises(DependencyDown):
            await hanging
        assert await database.transaction(numbers) == []

    async def test_a_lock_that_is_not_given_in_time_is_an_outage(
        self, database: Database, url: str
    ) -> None:
        holder = await asyncpg.connect(url)
        await holder.execute("begin; lock table notes")

        with pytest.raises(DependencyDown):
            await database.transaction(numbers)
        await holder.close()

    async def test_a_server_that_is_away_is_an_outage(self) -> None:
        url = "postgresql://nobody:nothing@127.0.0.1:1/none"

        async with open_database(url, pool_size=1, busy_seconds=0.5) as away:
            with pytest.raises(DependencyDown, match="postgres is away"):
                await away.transaction(numbers)


class TestSqlite:
    """What only SQLite does."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/notes.db"

    async def test_a_file_locked_for_long_is_an_outage(self, databases: list[Database]) -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(tx: Transaction) -> None:
            tx.execute(write(1))
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result()

        holding = asyncio.create_task(databases[0].transaction(hold))
        await entered.wait()

        with pytest.raises(DependencyDown, match="locked"):
            await databases[1].transaction(numbers)
        assert await databases[1].read(numbers) == []
        leave.set()
        await holding

    async def test_a_folder_that_is_not_there_is_an_outage(self) -> None:
        async with open_database(
            "sqlite:////nowhere/at/all.db", pool_size=1, busy_seconds=1
        ) as none:
            with pytest.raises(DependencyDown, match="unable to open"):
                await none.read(numbers)


async def _kill_sleepers(url: str) -> None:
    watcher = await asyncpg.connect(url)

    async def kill() -> bool:
        return bool(await watcher.fetch(KILL_SLEEPERS))

    await eventually(kill)
    await watcher.close()
