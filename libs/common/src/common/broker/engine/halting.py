"""What stops records from being given up one after the other: a halt, or a suspended tenant.

A halt is the service's: it is kept where every process sees it, outlives them, and ends when an
operator says so.
"""

import asyncio
from collections.abc import Callable

import structlog

from common.broker.dead_letters.halts import Halts
from common.broker.engine.circuit import Circuit, Conditions, Halt, Suspend
from common.errors import DependencyDown
from common.ids import Ulid
from common.observability.metrics import Metrics

log = structlog.get_logger()

_LOOK_SECONDS = 2.0


class Halting:
    """Judges what one consumer gives up, and knows whether it stands still over it."""

    def __init__(self, group: str, halts: Halts, conditions: Conditions, metrics: Metrics) -> None:
        """Go by these conditions; `look` before anything is taken."""
        self._group = group
        self._halts = halts
        self.is_known_free = halts.is_known_free
        """Tells whether `suspended` would say no, as it nearly always does, without waiting."""
        self._circuit = Circuit(conditions)
        self._conditions = conditions
        self._halted = metrics.consumer_halted.labels(group)
        self._halted.set(0)
        self.reason: str | None = None
        """Why nothing may be taken."""

    def handled(self, tenant: Ulid) -> None:
        """Note a record that went well."""
        self._circuit.handled(tenant)

    async def suspended(self, tenant: Ulid) -> bool:
        """Tell whether the tenant's records wait for an operator. Raises `DependencyDown`."""
        return await self._halts.is_suspended(tenant)

    async def allows(self, tenant: Ulid | None) -> bool:
        """Tell whether one more record may be given up, of this tenant or undecodable.

        If not, the consumer is halted, or the tenant suspended, once this returns. Raises
        `DependencyDown`; ask again then.
        """
        match self._circuit.give_up(tenant):
            case Halt(reason):
                await self._halts.open_circuit(reason)
                self._stand_still(reason)
                return False
            case Suspend(suspended, reason):
                await self._halts.suspend(suspended, reason)
                self._circuit.forgive(suspended)
                log.error("tenant suspended", group=self._group, reason=reason)
                return False
            case None:
                return True

    async def look(self) -> None:
        """Halt, or go on, as is written down. Raises `DependencyDown`."""
        reason = await self._halts.circuit()
        if reason is not None:
            self._stand_still(reason)
        elif self.reason is not None:
            self.reason = None
            self._circuit = Circuit(self._conditions)
            self._halted.set(0)
            log.info("halt ended", group=self._group)

    async def keep_looking(self, ended: Callable[[], None]) -> None:
        """Look every other second, for ever, and call `ended` after the end of a halt."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            was_halted = self.reason is not None
            try:
                await self.look()
            except DependencyDown:
                continue  # who needs the database for a record says so
            if was_halted and self.reason is None:
                ended()

    def forget(self) -> None:
        """Read afresh who is suspended: records of others have become ours, or may have."""
        self._halts.forget()

    def _stand_still(self, reason: str) -> None:
        if self.reason is None:
            self._halted.set(1)
            log.critical("consumer halted", group=self._group, reason=reason)
        self.reason = reason
