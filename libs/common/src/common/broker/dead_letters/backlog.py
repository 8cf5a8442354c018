"""How many dead letters there are, and how old, as metrics: what was given up long ago is still so.

They are the whole service's, of all tenants. A serving process sees no such rows; on Postgres it
asks a door through row-level security, which gives numbers and a time.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import Executable, func, select, text

from common.broker.dead_letters.letters import dead_letters_table
from common.broker.outage import wait_unless
from common.database import Database, Transaction, UtcTimestamp
from common.errors import DependencyDown
from common.observability.metrics import Metrics

_PAUSE = 15.0  # seconds, as often as a metric is read


class LetterGauges:
    """Tells how many letters of each topic and reason there are; a component.

    Every process of a service tells the same.
    """

    def __init__(self, service: str, database: Database, metrics: Metrics) -> None:
        """Name the service that writes them."""
        self._service = service
        self._database = database
        self._kept = metrics.dead_letters_kept
        self._age = metrics.dead_letters_age_seconds
        letters = dead_letters_table(service).c
        each = letters.topic, letters.reason
        kept, oldest = func.count().label("kept"), func.min(letters.last_failed_at).label("oldest")
        door = text(f"select * from {service}_dead_letters_backlog()")  # noqa: S608 - a table's name
        self._backlog: Mapping[str, Executable] = {
            "sqlite": select(*each, kept, oldest).group_by(*each),
            "postgresql": door.columns(oldest=UtcTimestamp()),
        }
        self._told: dict[tuple[str, str], tuple[int, float]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Count until told to stop."""
        while not stop.is_set():
            with suppress(DependencyDown):  # who needs the database for a record says so
                await self._tell()
            await wait_unless(stop, _PAUSE)

    async def _tell(self) -> None:
        gone = dict.fromkeys(self._told, (0, 0.0))
        self._told = {**gone, **await self._database.read(self._count)}
        for labels, (kept, age) in self._told.items():
            self._kept.labels(self._service, *labels).set(kept)
            self._age.labels(self._service, *labels).set(age)

    def _count(self, tx: Transaction) -> Mapping[tuple[str, str], tuple[int, float]]:
        return {
            (row.topic, row.reason): (row.kept, (tx.now - row.oldest).total_seconds())
            for row in tx.execute(self._backlog[tx.dialect])
        }
