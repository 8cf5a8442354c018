"""What each database does in its own way: take jobs of any tenant, and go on holding them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from common.ids import Ulid


class Claimed(NamedTuple):
    """A row that was taken, as of the claim."""

    tenant: Ulid
    key: str
    token: int
    attempts: int
    correlation: Ulid | None
    late: float
    """Seconds since it was due."""


class Backlog(NamedTuple):
    """What waits of one kind, of all tenants and for whatever process."""

    kind: str
    due: int
    overdue: float
    """Seconds since the first of them was due."""
    failed: int


class Claims(Protocol):
    """Each method raises `DependencyDown` while the database is away."""

    async def claim(self, kind: str, limit: int, *, after: Ulid) -> Sequence[Claimed]:
        """Take due jobs, going once round the tenants from the one behind `after`, in that order.

        Jobs whose lease ran out are due again first. Nothing may also mean that another process is
        claiming now.
        """
        ...

    async def renew(self, tokens: Iterable[int]) -> set[int]:
        """Hold these for another lease; tell which. A row that is locked just now is left out."""
        ...

    async def backlog(self, kinds: Iterable[str]) -> Sequence[Backlog]:
        """Count what waits of each kind."""
        ...
