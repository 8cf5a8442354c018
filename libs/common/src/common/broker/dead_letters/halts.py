"""What stands still until an operator says otherwise: a tenant's records, or a whole consumer.

A suspended tenant's records become dead letters in their order, and everybody else's are handled.
A halted consumer takes nothing at all. Neither ends by itself.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, MetaData, Select, Table, Text, select

from common.database import Database, Transaction, UlidColumn, UtcTimestamp, insert_once
from common.ids import Ulid


class HaltState(StrEnum):
    """Where a halt is on its way to its end."""

    SUSPENDED = "suspended"
    RESUMING = "resuming"
    """The operator said so; what waits is being handled, and newer records wait behind it."""


@dataclass(frozen=True, slots=True)
class Halt:
    """One thing that stands still."""

    tenant: Ulid | None
    """None: the consumer as a whole."""
    reason: str
    state: HaltState
    since: datetime


class Halts:
    """The table `<service>_halts`."""

    def __init__(self, service: str, database: Database, *, fresh_seconds: float = 2.0) -> None:
        """Believe what was read of a tenant for `fresh_seconds`."""
        self._database = database
        self._table = halts_table(service)
        self._fresh_seconds = fresh_seconds
        self._known: dict[bytes, tuple[bool, float]] = {}
        """By the bytes of the tenant's id, which are quicker to look up than it."""

    def is_known_free(self, tenant: Ulid) -> bool:
        """Tell whether `is_suspended` would say no without a look at the table."""
        known = self._known.get(tenant.bytes)
        return known is not None and not known[0] and time.monotonic() < known[1]

    async def is_suspended(self, tenant: Ulid) -> bool:
        """Tell whether the tenant's records are to wait. Raises `DependencyDown`.

        What another process suspended is seen late, by the time of freshness at most.
        """
        known, asked_at = self._known, time.monotonic()
        answer, good_until = known.get(tenant.bytes, (False, asked_at))
        if asked_at < good_until:
            return answer
        answer = await self._database.read(
            lambda tx: tx.execute(halt_of(tenant, self._table)).first() is not None, tenant=tenant
        )
        # into the knowledge of when it was asked: what was forgotten meanwhile stays forgotten
        known[tenant.bytes] = (answer, asked_at + self._fresh_seconds)
        return answer

    async def suspend(self, tenant: Ulid, reason: str) -> None:
        """Have the tenant's records wait, from the moment this returns; the first reason stays."""
        await self._database.transaction(lambda tx: self._halt(tx, reason), tenant=tenant)
        self.forget()

    def forget(self) -> None:
        """Read afresh from here on. For when another process' records have become ours."""
        self._known = {}

    async def circuit(self) -> str | None:
        """Return why the consumer is halted, or None."""
        row = await self._database.read(
            lambda tx: tx.execute(halt_of(None, self._table)).one_or_none()
        )
        return None if row is None else row.reason

    async def open_circuit(self, reason: str) -> None:
        """Halt the consumer in all processes; the first reason stays."""
        await self._database.transaction(lambda tx: self._halt(tx, reason))

    def _halt(self, tx: Transaction, reason: str) -> None:
        row = {"tenant_id": tx.tenant, "reason": reason, "state": HaltState.SUSPENDED.value}
        insert_once(tx, self._table, row | {"since": tx.now})


def halts_table(service: str) -> Table:
    """Return the table of a service."""
    return Table(
        f"{service}_halts",
        MetaData(),
        Column("tenant_id", UlidColumn),
        Column("reason", Text),
        Column("state", Text),
        Column("since", UtcTimestamp),
    )


def halt_of(tenant: Ulid | None, table: Table) -> Select[Any]:
    """Select the halt of a tenant; of the consumer where it is None."""
    return select(table).where(table.c.tenant_id == tenant)
