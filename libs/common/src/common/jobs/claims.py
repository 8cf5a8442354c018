"""What each database does in its own way: take jobs of any tenant, and go on holding them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from common.ids import Ulid


class Wanted(NamedTuple):
    """What a claim asks for of one kind."""

    kind: str
    limit: int
    after: Ulid
    """The tenant to begin behind."""


class Claimed(NamedTuple):
    """A row that was taken, as of the claim."""

    kind: str
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

    async def claim(self, wanted: Sequence[Wanted]) -> Sequence[Claimed]:
        """Take due jobs, each kind's going once round the tenants from the one behind `after`.

        They come kind by kind, and in the order of that round. Jobs whose lease ran out are due
        again first. Nothing of a kind may also mean that another process is claiming it now.
        """
        ...

    async def renew(self, tokens: Iterable[int]) -> set[int]:
        """Hold these for another lease; tell which. A row that is locked just now is left out."""
        ...

    async def backlog(self, kinds: Iterable[str]) -> Sequence[Backlog]:
        """Count what waits of each kind."""
        ...
