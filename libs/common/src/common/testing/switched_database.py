"""A database that a test can take away, or make hang."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from common.database import Database, Transaction
from common.errors import DependencyDown
from common.ids import Ulid

T = TypeVar("T")


class SwitchedDatabase:
    """Passes work on to `database` unless switched to be `away` or `hung`; counts its reads."""

    def __init__(self, database: Database) -> None:
        """Start switched on."""
        self._database = database
        self.away = False
        self.hung = False
        self.reads = 0

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        """See `Database.transaction`."""
        await self._pass()
        return await self._database.transaction(work, tenant=tenant)

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        """See `Database.read`."""
        await asyncio.sleep(0)  # as a real one does, it lets others run before it works
        self.reads += 1
        await self._pass()
        return await self._database.read(work, tenant=tenant)

    async def _pass(self) -> None:
        if self.away:
            raise DependencyDown("database", "switched off")
        if self.hung:
            await asyncio.Event().wait()
