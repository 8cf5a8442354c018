"""Whose turn it is: tenant after tenant, and none beyond its share."""

from collections import deque

from common.broker.engine.held import Held, State


class Turns:
    """Records that may run now. One tenant's thousand do not stand before another's one.

    A pure structure. A record that is not queued any more is passed over.
    """

    def __init__(self, share: int) -> None:
        """Let so many records of one tenant run at a time."""
        self._share = share
        self._tenants: dict[bytes, _Tenant] = {}
        self._line: deque[_Tenant] = deque()
        """The tenants that may have a turn; who just had one is last."""

    def add(self, held: Held) -> None:
        """Let a record wait behind those of its tenant."""
        tenant = self._tenant_of(held)
        tenant.ready.append(held)
        self._line_up(tenant)

    def add_first(self, held: Held) -> None:
        """Let a record be the next of all."""
        tenant = self._tenant_of(held)
        tenant.ready.appendleft(held)
        self._line_up(tenant)
        if tenant.in_line:
            self._line.remove(tenant)
            self._line.appendleft(tenant)

    def take(self) -> Held | None:
        """Return the next record, which counts as running from now, or None."""
        held = None
        while held is None and self._line:
            tenant = self._line.popleft()
            tenant.in_line = False
            held = tenant.first()
            if held is not None:
                tenant.running += 1
            self._line_up(tenant)
        return held

    def end(self, held: Held) -> None:
        """Count a record that was taken as running no more."""
        tenant = self._tenants[held.tenant]
        tenant.running -= 1
        self._line_up(tenant)

    def _tenant_of(self, held: Held) -> "_Tenant":
        tenant = self._tenants.get(held.tenant)
        if tenant is None:
            tenant = self._tenants[held.tenant] = _Tenant(held.tenant)
        return tenant

    def _line_up(self, tenant: "_Tenant") -> None:
        if tenant.ready:
            if not tenant.in_line and tenant.running < self._share:
                tenant.in_line = True
                self._line.append(tenant)
        elif not tenant.running:
            del self._tenants[tenant.name]


class _Tenant:
    """A tenant of whom something waits or runs."""

    __slots__ = ("in_line", "name", "ready", "running")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.ready: deque[Held] = deque()
        self.running = 0
        self.in_line = False

    def first(self) -> Held | None:
        while self.ready:
            held = self.ready.popleft()
            if held.state is State.QUEUED:
                return held
        return None
