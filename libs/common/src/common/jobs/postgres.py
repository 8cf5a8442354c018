"""Claims on Postgres: each is one call of a door through row-level security (see `schema`)."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from sqlalchemy import ARRAY, BigInteger, Float, String, bindparam, text

from common.database import Database, Transaction, UlidColumn
from common.ids import Ulid
from common.jobs.claims import Backlog, Claimed
from common.jobs.statements import spelt

_CLAIM = """
select tenant, job_key, job_token, claims, correlation, late
from {jobs}_claim(:kind, :limit, :cap, :after, :lease) order by lane, job_token
"""


class PostgresClaims:
    """See `Claims`."""

    def __init__(self, database: Database, jobs: str, *, per_tenant: int, lease: float) -> None:
        """Take at most `per_tenant` jobs of one tenant and kind, each for `lease` seconds."""
        self._database = database
        self._cap = per_tenant
        self._lease = lease
        self._claim = spelt(_CLAIM, jobs, "postgresql").columns(
            tenant=UlidColumn(), correlation=UlidColumn()
        )
        self._renew = text(f"select {jobs}_renew(:tokens, :lease)").bindparams(
            bindparam("tokens", type_=ARRAY(BigInteger)), bindparam("lease", type_=Float())
        )
        self._backlog = text(f"select * from {jobs}_backlog(:kinds)").bindparams(  # noqa: S608 - a table's name
            bindparam("kinds", type_=ARRAY(String))
        )

    async def claim(self, kind: str, limit: int, *, after: Ulid) -> Sequence[Claimed]:
        """See `Claims.claim`."""

        def work(tx: Transaction) -> Sequence[Claimed]:
            wanted = {"kind": kind, "limit": limit, "after": after}
            with _committing_itself(tx):
                rows = tx.execute(self._claim, wanted | {"cap": self._cap, "lease": self._lease})
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
