"""A database whose process ends at a chosen commit."""

from collections.abc import Callable
from typing import TypeVar

from common.database import Database, Transaction
from common.ids import Ulid

T = TypeVar("T")


class KilledError(BaseException):
    """The process ended here: nothing in it handles that."""


class KillableDatabase:
    """One process' database. Ends the process before or after the commit of a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.commits = 0
        self.dies_before: int | None = None
        self.dies_after: int | None = None
        self.committed: Callable[[], None] = lambda: None

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        self.commits += 1
        number = self.commits
        if self.dies_before is not None and number >= self.dies_before:
            raise KilledError
        result = await self._database.transaction(work, tenant=tenant)
        self.committed()
        if self.dies_after is not None and number >= self.dies_after:
            raise KilledError
        return result

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        return await self._database.read(work, tenant=tenant)
