"""Claims on SQLite: a look without the write lock, so that idling writes nothing; then a claim."""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam

from common.database import Database, Transaction, UlidColumn
from common.ids import Ulid
from common.jobs.claims import Backlog, Claimed, Wanted
from common.jobs.statements import spelt

_LOOK = """
select w.value from json_each(:kinds) w
where exists (select 1 from {jobs} where kind = w.value and {waiting} and due_at <= {now})
or exists (select 1 from {jobs} where kind = w.value and {lapsed})
"""

_RETURN_LOST = """
update {jobs} set token = null, lease_until = null, due_at = min(due_at, {now})
where kind = :kind and {lapsed}
"""

_DUE_TENANTS = """
select tenant_id from {jobs} where kind = :kind and {waiting} and due_at <= {now}
order by due_at limit :limit
"""

# A lane is a tenant with something due and room for it. This walks over the tenants that wait.
# Without statistics SQLite would count in the primary key, all rows of a tenant.
_LANES = """
with recursive turn(tenant_id) as (
    select :after
    union all
    select (
        select tenant_id from {jobs} indexed by {jobs}_waiting
        where kind = :kind and {waiting} and tenant_id > turn.tenant_id
        order by tenant_id limit 1)
    from turn where turn.tenant_id is not null)
select tenant_id from turn where tenant_id > :after
and :cap > (
    select count(*) from {jobs} indexed by {jobs}_leased
    where kind = :kind and tenant_id = turn.tenant_id and token is not null)
and exists (
    select 1 from {jobs}
    where kind = :kind and tenant_id = turn.tenant_id and {waiting} and due_at <= {now})
limit :limit
"""

_DUE = """
select key, attempts, correlation_id, ({now} - due_at) / 1e6 as late from {jobs}
where kind = :kind and tenant_id = :tenant and {waiting} and due_at <= {now}
order by due_at limit max(0, min(:limit, :cap - (
    select count(*) from {jobs} indexed by {jobs}_leased
    where kind = :kind and tenant_id = :tenant and token is not null)))
"""

_LAST_TOKEN = "update {jobs}_token set n = n + :limit returning n"  # noqa: S105 - a claim's, not a secret

_LEASE = """
update {jobs} set token = :token, lease_until = {later}, due_at = {never}, attempts = attempts + 1
where tenant_id = :tenant and kind = :kind and key = :key
"""

_RENEW = "update {jobs} set lease_until = {later} where token in :tokens returning token"

_BACKLOG = """
select
    (select count(*) from {jobs} indexed by {jobs}_due
        where kind = :kind and {waiting} and due_at <= {now}),
    coalesce(({now} - (
        select min(due_at) from {jobs} indexed by {jobs}_due
        where kind = :kind and {waiting} and due_at <= {now})) / 1e6, 0),
    (select count(*) from {jobs} indexed by {jobs}_failed
        where kind = :kind and reason is not null)
"""

_BEFORE_ALL = Ulid.from_bytes(bytes(16))
_FEW = 64  # due rows that tell their lanes without a walk over all that wait


class SqliteClaims:
    """See `Claims`."""

    def __init__(self, database: Database, jobs: str, *, per_tenant: int, lease: float) -> None:
        """Take at most `per_tenant` jobs of one tenant and kind, each for `lease` seconds."""
        self._database = database
        self._cap = per_tenant
        self._lease = lease
        self._look = spelt(_LOOK, jobs, "sqlite")
        self._return_lost = spelt(_RETURN_LOST, jobs, "sqlite")
        self._due_tenants = spelt(_DUE_TENANTS, jobs, "sqlite").columns(tenant_id=UlidColumn())
        self._lanes = spelt(_LANES, jobs, "sqlite").columns(tenant_id=UlidColumn())
        self._due = spelt(_DUE, jobs, "sqlite").columns(correlation_id=UlidColumn())
        self._last_token = spelt(_LAST_TOKEN, jobs, "sqlite")
        self._lease_row = spelt(_LEASE, jobs, "sqlite")
        self._backlog = spelt(_BACKLOG, jobs, "sqlite")
        self._renew = spelt(_RENEW, jobs, "sqlite").bindparams(bindparam("tokens", expanding=True))

    async def claim(self, wanted: Sequence[Wanted]) -> Sequence[Claimed]:
        """See `Claims.claim`."""
        kinds = {"kinds": json.dumps([each.kind for each in wanted])}

        def look(tx: Transaction) -> set[str]:
            return set(tx.execute(self._look, kinds).scalars())

        def work(tx: Transaction) -> Sequence[Claimed]:
            return [job for each in wanted if each.kind in due for job in self._take(tx, each)]

        due = await self._database.read(look)
        return await self._database.transaction(work) if due else ()

    async def renew(self, tokens: Iterable[int]) -> set[int]:
        """See `Claims.renew`."""
        held = {"tokens": list(tokens), "delay": self._lease}
        return await self._database.transaction(
            lambda tx: set(tx.execute(self._renew, held).scalars())
        )

    async def backlog(self, kinds: Iterable[str]) -> Sequence[Backlog]:
        """See `Claims.backlog`."""
        return await self._database.read(
            lambda tx: [
                Backlog(kind, *tx.execute(self._backlog, {"kind": kind}).one()) for kind in kinds
            ]
        )

    def _take(self, tx: Transaction, wanted: Wanted) -> Sequence[Claimed]:
        tx.execute(self._return_lost, {"kind": wanted.kind})
        taken: list[Claimed] = []
        for tenant in self._tenants_in_turn(tx, wanted):
            taken += self._take_due(tx, wanted.kind, tenant, wanted.limit - len(taken))
        return taken

    def _tenants_in_turn(self, tx: Transaction, wanted: Wanted) -> Sequence[Ulid]:
        """Go round once: those behind `after`, then those up to it; as many as may be needed."""
        kind, limit, after = wanted
        few = max(_FEW, 4 * limit)
        due = tx.execute(self._due_tenants, {"kind": kind, "limit": few}).scalars().all()
        if len(due) < few:
            return sorted(set(due), key=lambda tenant: (tenant <= after, tenant))
        behind = self._walk(tx, kind, after, limit)
        first = () if len(behind) == limit else self._walk(tx, kind, _BEFORE_ALL, limit)
        return [*behind, *(tenant for tenant in first if tenant <= after)]

    def _walk(self, tx: Transaction, kind: str, after: Ulid, limit: int) -> Sequence[Ulid]:
        wanted = {"kind": kind, "after": after, "limit": limit, "cap": self._cap}
        return tx.execute(self._lanes, wanted).scalars().all()

    def _take_due(self, tx: Transaction, kind: str, tenant: Ulid, limit: int) -> Sequence[Claimed]:
        lane = {"kind": kind, "tenant": tenant}
        due = tx.execute(self._due, lane | {"limit": limit, "cap": self._cap}).all()
        if not due:
            return ()
        last = tx.execute(self._last_token, {"limit": len(due)}).scalar_one()
        tokens = range(last - len(due) + 1, last + 1)
        taking = [
            {"key": job.key, "token": token, "delay": self._lease}
            for job, token in zip(due, tokens, strict=True)
        ]
        tx.execute(self._lease_row, [lane | job for job in taking])
        return [
            Claimed(kind, tenant, job.key, token, job.attempts + 1, job.correlation_id, job.late)
            for job, token in zip(due, tokens, strict=True)
        ]
