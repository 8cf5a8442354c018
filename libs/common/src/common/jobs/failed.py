"""Jobs that failed for good, of all tenants: seen, retried and dropped by an operator."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, String, column, select, table

from common.database import Database, Transaction, UlidColumn, UtcTimestamp
from common.ids import Ulid
from common.jobs.statements import spelt

# As if it had just been scheduled; what giving it up wrote for the service's rows stays.
_REVIVE = """
update {jobs} set reason = null, failed_at = null, attempts = 0, due_at = {now}
where tenant_id = :tenant and kind = :kind and key = :key and reason is not null
"""

_DROP = """
delete from {jobs}
where tenant_id = :tenant and kind = :kind and key = :key and reason is not null
"""


@dataclass(frozen=True, slots=True)
class FailedJob:
    """One of them, and why it is one."""

    tenant: Ulid
    kind: str
    key: str
    reason: str
    attempts: int
    failed_at: datetime
    scheduled_at: datetime
    correlation: Ulid | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of them are meant: at most `limit`, the earliest failure first."""

    limit: int
    tenant: Ulid | None = None
    kind: str | None = None
    key: str | None = None
    since: datetime | None = None


class FailedJobs:
    """Those of one service; `database` is opened as the owner of its tables, who sees them all."""

    def __init__(self, service: str, database: Database) -> None:
        """Know the table `<service>_jobs`."""
        self.service = service
        self._database = database
        self._name = f"{service}_jobs"
        self._rows = table(
            self._name,
            column("tenant_id", UlidColumn()),
            column("kind", String()),
            column("key", String()),
            column("reason", String()),
            column("attempts", Integer()),
            column("failed_at", UtcTimestamp()),
            column("scheduled_at", UtcTimestamp()),
            column("correlation_id", UlidColumn()),
        )

    async def find(self, wanted: Wanted) -> list[FailedJob]:
        """Return those that match."""
        rows = self._rows.c
        asked = {
            rows.tenant_id: wanted.tenant,
            rows.kind: wanted.kind,
            rows.key: wanted.key,
        }
        query = select(self._rows).where(
            rows.reason.is_not(None),
            *(field == value for field, value in asked.items() if value is not None),
            *([] if wanted.since is None else [rows.failed_at >= wanted.since]),
        )
        first = query.order_by(rows.failed_at, rows.tenant_id, rows.kind, rows.key)
        return await self._database.read(
            lambda tx: [FailedJob(*row) for row in tx.execute(first.limit(wanted.limit))]
        )

    async def retry(self, job: FailedJob) -> bool:
        """Have it run now, as if nothing had failed; tell whether it was still a failed one."""
        return await self._change(_REVIVE, job)

    async def drop(self, job: FailedJob) -> bool:
        """Forget it for good; tell whether it was still a failed one."""
        return await self._change(_DROP, job)

    async def _change(self, sql: str, job: FailedJob) -> bool:
        meant = {"tenant": job.tenant, "kind": job.kind, "key": job.key}

        def work(tx: Transaction) -> bool:
            return tx.execute(spelt(sql, self._name, tx.dialect), meant).rowcount > 0

        return await self._database.transaction(work)
