"""Claims on SQLite: a look without the write lock, so that idling writes nothing; then a claim."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import BigInteger, bindparam

from common.database import Database, Transaction, UlidColumn
from common.ids import Ulid
from common.jobs.claims import Claimed
from common.jobs.statements import spelt

_LOOK = """
select exists (select 1 from {jobs} where kind = :kind and {waiting} and due_at <= {now})
    or exists (select 1 from {jobs} where kind = :kind and {lapsed})
"""

_RETURN_LOST = """
update {jobs} set token = null, lease_until = null, due_at = min(due_at, {now})
where kind = :kind and {lapsed}
"""

_NEXT_TENANT = """
select tenant_id from {jobs}
where kind = :kind and {waiting} and due_at <= {now} and tenant_id > :after
order by tenant_id limit 1
"""

_RUNNING = """
select count(*) from {jobs} where kind = :kind and tenant_id = :tenant and token is not null
"""

_DUE = """
select key, ({now} - due_at) / 1e6 as late from {jobs}
where kind = :kind and tenant_id = :tenant and {waiting} and due_at <= {now}
order by due_at limit :limit
"""

_NEXT_TOKEN = "update {jobs}_token set n = n + 1 returning n"  # noqa: S105 - a claim's, not a secret

_TAKE = """
update {jobs} set token = :token, lease_until = {later}, due_at = {never}, attempts = attempts + 1
where tenant_id = :tenant and kind = :kind and key = :key
returning attempts, correlation_id
"""

_RENEW = "update {jobs} set lease_until = {later} where token in :tokens returning token"

_BEFORE_ALL = Ulid.from_bytes(bytes(16))


class SqliteClaims:
    """See `Claims`."""

    def __init__(self, database: Database, jobs: str, *, per_tenant: int, lease: float) -> None:
        """Take at most `per_tenant` jobs of one tenant and kind, each for `lease` seconds."""
        self._database = database
        self._cap = per_tenant
        self._lease = lease
        self._look = spelt(_LOOK, jobs, "sqlite")
        self._return_lost = spelt(_RETURN_LOST, jobs, "sqlite")
        self._next_tenant = spelt(_NEXT_TENANT, jobs, "sqlite").columns(tenant_id=UlidColumn())
        self._running = spelt(_RUNNING, jobs, "sqlite")
        self._due = spelt(_DUE, jobs, "sqlite")
        self._next_token = spelt(_NEXT_TOKEN, jobs, "sqlite")
        self._take = spelt(_TAKE, jobs, "sqlite").columns(
            attempts=BigInteger(), correlation_id=UlidColumn()
        )
        self._renew = spelt(_RENEW, jobs, "sqlite").bindparams(bindparam("tokens", expanding=True))

    async def claim(self, kind: str, limit: int, *, after: Ulid) -> Sequence[Claimed]:
        """See `Claims.claim`."""

        def look(tx: Transaction) -> bool:
            return bool(tx.execute(self._look, {"kind": kind}).scalar_one())

        def work(tx: Transaction) -> Sequence[Claimed]:
            tx.execute(self._return_lost, {"kind": kind})
            taken: list[Claimed] = []
            for tenant in self._tenants_in_turn(tx, kind, after):
                taken += self._take_due(tx, kind, tenant, limit - len(taken))
                if len(taken) == limit:
                    break
            return taken

        return await self._database.transaction(work) if await self._database.read(look) else ()

    async def renew(self, tokens: Iterable[int]) -> set[int]:
        """See `Claims.renew`."""
        held = {"tokens": list(tokens), "delay": self._lease}
        return await self._database.transaction(
            lambda tx: set(tx.execute(self._renew, held).scalars())
        )

    def _tenants_in_turn(self, tx: Transaction, kind: str, after: Ulid) -> Iterator[Ulid]:
        """Go round once: those behind `after`, then those up to it."""
        for start, last in ((after, None), (_BEFORE_ALL, after)):
            tenant = start
            while True:
                wanted = {"kind": kind, "after": tenant}
                tenant = tx.execute(self._next_tenant, wanted).scalar_one_or_none()
                if tenant is None or (last is not None and tenant > last):
                    break
                yield tenant

    def _take_due(self, tx: Transaction, kind: str, tenant: Ulid, limit: int) -> Iterator[Claimed]:
        lane = {"kind": kind, "tenant": tenant}
        room = self._cap - tx.execute(self._running, lane).scalar_one()
        due = tx.execute(self._due, lane | {"limit": min(limit, max(room, 0))}).all()
        for job in due:
            token = tx.execute(self._next_token).scalar_one()
            taking = {"key": job.key, "token": token, "delay": self._lease}
            row = tx.execute(self._take, lane | taking).one()
            yield Claimed(tenant, job.key, token, row.attempts, row.correlation_id, job.late)
