"""When giving up records stops being an answer to their failing.

A pure rolling window over settled records. When too many of them were given up, of several tenants
or because nothing can be decoded, the fault is ours and the consumer must halt. When one tenant's
fail one after the other, its records must wait, and nobody else's.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Self

from common.ids import Ulid
from common.settings import BrokerSettings

_SEVERAL: Final = 3


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is too much; see the settings of the same names."""

    window: int
    """Settled records that are looked back at."""
    count: int
    """So many of them may be given up in any case."""
    share: float
    """So large a part of them may be given up."""
    run: int
    """So many of one tenant may be given up one after the other."""

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        """Take what the operator chose."""
        return cls(
            window=settings.circuit_window,
            count=settings.circuit_count,
            share=settings.circuit_share,
            run=settings.suspend_after,
        )


@dataclass(frozen=True, slots=True)
class Halt:
    """The consumer must stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """One tenant's records must wait."""

    tenant: Ulid
    reason: str


class Circuit:
    """What became of the last records of one consumer."""

    def __init__(self, conditions: Conditions) -> None:
        """Start without a past."""
        self._conditions = conditions
        self._settled = 0
        self._past: deque[tuple[int, Ulid | None]] = deque()
        """What was given up, and as which of the settled records."""
        self._given_up: Counter[Ulid | None] = Counter()
        """By tenant; None are those that could not be decoded."""
        self._runs: Counter[Ulid] = Counter()

    def handled(self, tenant: Ulid) -> None:
        """Note a record that went well."""
        self._settled += 1
        if self._runs:
            self._runs.pop(tenant, None)

    def give_up(self, tenant: Ulid | None) -> Halt | Suspend | None:
        """Note a record that is given up, or say why it must not be; None is undecodable."""
        self._forget_the_old()
        decision = self._too_many(tenant) or self._too_long(tenant)
        if decision is None:
            if tenant is not None:
                self._runs[tenant] += 1
            self._settled += 1
            self._past.append((self._settled, tenant))
            self._given_up[tenant] += 1
        return decision

    def forgive(self, tenant: Ulid) -> None:
        """Begin a new run: what failed of the tenant was answered."""
        self._runs.pop(tenant, None)

    def _too_many(self, tenant: Ulid | None) -> Halt | None:
        undecodable = self._given_up[None]
        tenants = self._given_up.keys() - {None} | {tenant}
        if tenant is None:
            failed, what = undecodable + 1, "could not be decoded"
        elif len(tenants) >= _SEVERAL:
            failed = self._given_up.total() - undecodable + 1
            what = f"were given up, of {len(tenants)} tenants"
        else:
            return None
        settled = min(self._settled + 1, self._conditions.window)
        if failed <= self._conditions.count or failed <= self._conditions.share * settled:
            return None
        return Halt(f"{failed} of the last {settled} records {what}")

    def _too_long(self, tenant: Ulid | None) -> Suspend | None:
        if tenant is None or self._runs[tenant] < self._conditions.run:
            return None
        return Suspend(tenant, f"{self._runs[tenant]} records in a row were given up")

    def _forget_the_old(self) -> None:
        """Keep one less than the window: it is the record at hand that fills it."""
        while self._past and self._settled - self._past[0][0] >= self._conditions.window - 1:
            _, tenant = self._past.popleft()
            self._given_up[tenant] -= 1
            if not self._given_up[tenant]:
                del self._given_up[tenant]
