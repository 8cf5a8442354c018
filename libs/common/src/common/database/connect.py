"""Open the database that a URL names."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from common.database.postgres import PostgresDatabase
from common.database.sqlite import SqliteDatabase
from common.database.transaction import Transaction
from common.errors import StartError
from common.ids import Ulid

T = TypeVar("T")


class Database(Protocol):
    """A place for rows. Both methods raise `DependencyDown` while it is away."""

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        """Run `work` in one transaction of `tenant`: committed if it returns, else rolled back."""
        ...

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        """Run `work` on one consistent view, without the right to write or a writer's lock."""
        ...


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int, busy_seconds: float
) -> AsyncGenerator[Database]:
    """Open the database at `url`, and close it at the end.

    It connects when first used: opening never fails for a server that is away.
    """
    scheme = url.partition(":")[0]
    if scheme in ("postgresql", "postgres"):
        database = PostgresDatabase(url, pool_size=pool_size, busy_seconds=busy_seconds)
    elif scheme == "sqlite":
        database = SqliteDatabase(url, busy_seconds=busy_seconds)
    else:
        message = f"RECADO_DATABASE_URL starts with {scheme!r}; use postgresql:// or sqlite:///."
        raise StartError(message)
    try:
        yield database
    finally:
        await database.close()
