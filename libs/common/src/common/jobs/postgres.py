"""Claims on Postgres: each is one call of a door through row-level security (see `schema`)."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from sqlalchemy import ARRAY, BigInteger, Float, Integer, String, bindparam, text

from common.database import Database, Transaction, UlidColumn
from common.jobs.claims import Backlog, Claimed, Wanted
from common.jobs.statements import spelt

# One call of the door for each kind, in one statement: an idle process asks for all in one go.
_CLAIM = """
select w.kind, tenant, job_key, job_token, claims, correlation, late
from unnest(:kinds, :limits, :after) with ordinality w(kind, few, after, place)
cross join lateral {jobs}_claim(w.kind, w.few, :cap, w.after, :lease)
order by place, lane, job_token
"""


class PostgresClaims:
    """See `Claims`."""

    def __init__(self, database: Database, jobs: str, *, per_tenant: int, lease: float) -> None:
        """Take at most `per_tenant` jobs of one tenant and kind, each for `lease` seconds."""
        self._database = database
        self._cap = per_tenant
        self._lease = lease
        self._claim = (
            spelt(_CLAIM, jobs, "postgresql")
            .bindparams(
                bindparam("kinds", type_=ARRAY(String)),
                bindparam("limits", type_=ARRAY(Integer)),
                bindparam("after", type_=ARRAY(UlidColumn())),
            )
            .columns(tenant=UlidColumn(), correlation=UlidColumn())
        )
        self._renew = text(f"select {jobs}_renew(:tokens, :lease)").bindparams(
            bindparam("tokens", type_=ARRAY(BigInteger)), bindparam("lease", type_=Float())
        )
        self._backlog = text(f"select * from {jobs}_backlog(:kinds)").bindparams(  # noqa: S608 - a table's name
            bindparam("kinds", type_=ARRAY(String))
        )

    async def claim(self, wanted: Sequence[Wanted]) -> Sequence[Claimed]:
        """See `Claims.claim`."""
        asked = {
            "kinds": [each.kind for each in wanted],
            "limits": [each.limit for each in wanted],
            "after": [each.after for each in wanted],
            "cap": self._cap,
            "lease": self._lease,
        }

        def work(tx: Transaction) -> Sequence[Claimed]:
            with _committing_itself(tx):
                rows = tx.execute(self._claim, asked)
            return [Claimed(*row) for row in rows]

        return await self._database.transaction(work)

    async def renew(self, tokens: Iterable[int]) -> set[int]:
        """See `Claims.renew`."""
        held = {"tokens": list(tokens), "lease": self._lease}

        def work(tx: Transaction) -> set[int]:
            with _committing_itself(tx):
                return set(tx.execute(self._renew, held).scalars())

        return await self._database.transaction(work)

    async def backlog(self, kinds: Iterable[str]) -> Sequence[Backlog]:
        """See `Claims.backlog`."""
        wanted = {"kinds": list(kinds)}
        return await self._database.read(
            lambda tx: [Backlog(*row) for row in tx.execute(self._backlog, wanted)]
        )


@contextmanager
def _committing_itself(tx: Transaction) -> Generator[None]:
    """Send one statement without BEGIN and COMMIT around it.

    A process that is stopped between the server's reply and its own COMMIT would lock every row
    that it took, and keep all others from claiming.
    """
    driver = tx.connection.connection.dbapi_connection
    assert driver is not None, "it is checked out"  # noqa: S101
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False
