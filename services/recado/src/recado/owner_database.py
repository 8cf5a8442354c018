"""The database as an operator sees it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from common.database import Database, open_database
from recado.settings import OperatorSettings


@asynccontextmanager
async def owner_database(settings: OperatorSettings) -> AsyncGenerator[Database]:
    """Open it as the owner of the tables, with one connection, and close it at the end."""
    async with open_database(
        settings.owner_url, pool_size=1, busy_seconds=settings.database.busy_seconds
    ) as database:
        yield database
