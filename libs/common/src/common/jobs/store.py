"""Jobs in the database: what use cases do inside their transactions, and what the runner does."""

import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause

from common.database import Database, Transaction
from common.database.sqlite import SqliteDatabase
from common.ids import Ulid
from common.jobs.claims import Backlog, Claims, Wanted
from common.jobs.job import Job, JobName, LeaseLostError, Outcome
from common.jobs.postgres import PostgresClaims
from common.jobs.sqlite import SqliteClaims
from common.jobs.statements import Statements, statements

Listener = Callable[[JobName, float], None]
"""Told which job falls due, and in how many seconds."""

GivenUp = Callable[[Transaction, Job], None]
"""Writes what it means for the service's own rows that a job failed for good."""

_AT_ONCE = timedelta(0)
_NOBODY = Ulid.from_bytes(bytes(16))


class Jobs:
    """The jobs of one service, in the table `<service>_jobs`.

    There is one job for a tenant, kind and key, however often it is scheduled; its handler looks at
    all that is to be done for the key, and says itself when it is needed again.
    """

    def __init__(
        self,
        service: str,
        database: Database,
        kinds: Collection[str],
        *,
        lease: timedelta,
        per_tenant: int,
    ) -> None:
        """Know the `kinds` that have a handler somewhere.

        `lease` must be longer than the longest wait for the database; `per_tenant` is how many jobs
        of one kind and tenant run at the same time, in all processes together.
        """
        self.service = service
        self.kinds = frozenset(kinds)
        self.lease = lease
        self._database = database
        self._table = f"{service}_jobs"
        adapter = SqliteClaims if isinstance(database, SqliteDatabase) else PostgresClaims
        self._claims: Claims = adapter(
            database, self._table, per_tenant=per_tenant, lease=lease.total_seconds()
        )
        self._served: dict[str, Ulid] = {}
        self._listeners: list[Listener] = []

    def schedule(
        self,
        tx: Transaction,
        kind: str,
        key: str,
        *,
        due_in: timedelta = _AT_ONCE,
        correlation: Ulid | None = None,
    ) -> None:
        """Have the job run once this transaction is committed; the earliest time asked for wins.

        A job that runs now will run again; a failed one is revived; one that backs off keeps its
        time.
        """
        if kind not in self.kinds:
            message = f"{self.service} runs no jobs of kind {kind!r}, only {sorted(self.kinds)}"
            raise ValueError(message)
        if tx.tenant is None:
            message = f"a job of kind {kind!r} belongs to a tenant, and this transaction to none"
            raise ValueError(message)
        seconds = due_in.total_seconds()
        asked = {"tenant": tx.tenant, "kind": kind, "key": key}
        tx.execute(self._sql(tx).schedule, asked | {"delay": seconds, "correlation": correlation})
        name = JobName(kind, tx.tenant, key)
        tx.after_commit(lambda: self._tell(name, seconds))

    def done(self, tx: Transaction, job: Job) -> None:
        """End the job: the last statement of its final transaction.

        If it was scheduled since it was claimed, it stays and runs again. Raises `LeaseLostError`
        when another process holds it, which rolls everything back.
        """
        if tx.execute(self._sql(tx).delete, _held(job)).rowcount == 0:
            self._release(tx, job, self._sql(tx).release)
        _settle(tx, job, Outcome.DONE)

    def again(self, tx: Transaction, job: Job, *, due_in: timedelta) -> None:
        """End this claim, not the job, which got on: its attempts count from nothing.

        Runs again after `due_in`, or earlier if it was scheduled earlier meanwhile. Otherwise as
        `done`.
        """
        delay = {"delay": due_in.total_seconds()}
        self._release(tx, job, self._sql(tx).release_until, delay)
        _settle(tx, job, Outcome.AGAIN)

    def hold(self, tx: Transaction, job: Job) -> None:
        """Keep others from claiming the job until commit.

        The last statement of a transaction on the way. Raises `LeaseLostError` as `done` does.
        """
        if tx.execute(self._sql(tx).hold, _held(job)).one_or_none() is None:
            raise LeaseLostError(job.kind)

    async def claim(self, limits: Mapping[str, int]) -> Sequence[Job]:
        """Take up to so many due jobs of each kind, in one go.

        Goes round the tenants of a kind from where this process stopped. Nothing of it may also
        mean that another process is claiming it just now.
        """
        asked_at = time.monotonic()
        taken = await self._claims.claim(
            [Wanted(kind, n, self._served.get(kind, _NOBODY)) for kind, n in limits.items()]
        )
        self._served |= {row.kind: row.tenant for row in taken}  # the last of each
        held_until = asked_at + self.lease.total_seconds()
        return [Job(held_until=held_until, **row._asdict()) for row in taken]

    async def renew(self, jobs: Iterable[Job]) -> None:
        """Hold each for another lease, and move its `held_until`, if nobody else has taken it."""
        asked_at = time.monotonic()
        jobs = list(jobs)
        renewed = await self._claims.renew(job.token for job in jobs)
        for job in jobs:
            if job.token in renewed:
                job.held_until = asked_at + self.lease.total_seconds()

    async def backlog(self) -> Sequence[Backlog]:
        """Count what waits of each kind of the service, whichever process runs it."""
        return await self._claims.backlog(sorted(self.kinds))

    async def back_off(self, job: Job, *, delay: timedelta, counted: bool) -> None:
        """Have a failed attempt made again after `delay`, whatever was scheduled meanwhile.

        `counted` tells whether the attempt was the job's own failure. Raises `LeaseLostError`.
        """
        values = {"delay": delay.total_seconds(), "uncounted": int(not counted)}
        await self._database.transaction(
            lambda tx: self._release(tx, job, self._sql(tx).back_off, values), tenant=job.tenant
        )

    async def fail(self, job: Job, reason: str, given_up: GivenUp | None = None) -> None:
        """Leave the job failed until it is scheduled again, which it may have been since the claim.

        `given_up` runs first in the same transaction. Raises `LeaseLostError`.
        """

        def work(tx: Transaction) -> None:
            if given_up is not None:
                given_up(tx, job)
            self._release(tx, job, self._sql(tx).fail, {"reason": reason})

        await self._database.transaction(work, tenant=job.tenant)

    @contextmanager
    def telling(self, listener: Listener) -> Generator[None]:
        """Tell `listener` of each job that this process has just committed."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _release(
        self,
        tx: Transaction,
        job: Job,
        statement: TextClause,
        values: dict[str, Any] | None = None,
    ) -> None:
        released = tx.execute(statement, _held(job) | (values or {})).one_or_none()
        if released is None:
            raise LeaseLostError(job.kind)
        due_in: float | None = released[0]
        if due_in is not None:
            tx.after_commit(lambda: self._tell(job.name, due_in))

    def _sql(self, tx: Transaction) -> Statements:
        return statements(self._table, tx.dialect)

    def _tell(self, job: JobName, due_in: float) -> None:
        for listener in self._listeners:
            listener(job, due_in)


def _held(job: Job) -> dict[str, Any]:
    return {"tenant": job.tenant, "kind": job.kind, "key": job.key, "token": job.token}


def _settle(tx: Transaction, job: Job, outcome: Outcome) -> None:
    def settle() -> None:
        job.outcome = outcome

    tx.after_commit(settle)
