"""Whose turn it is: tenant after tenant, and none beyond its share."""

from collections import deque

from common.broker.engine.held import Held


class Turns:
    """Records that may run now. One tenant's thousand do not stand before another's one; pure."""

    def __init__(self, share: int) -> None:
        """Let so many records of one tenant run at a time."""
        self._share = share
        self._tenants = _Tenants()
        self._line: deque[_Tenant] = deque()
        """The tenants that may have a turn; who just had one is last."""

    def add(self, held: Held) -> None:
        """Let a record wait behind those of its tenant."""
        tenant = self._tenants[held.tenant]
        tenant.ready.append(held)
        if not tenant.in_line:
            self._line_up(tenant)

    def add_first(self, held: Held) -> None:
        """Let a record be the next of all."""
        tenant = self._tenants[held.tenant]
        tenant.ready.appendleft(held)
        if tenant.in_line:
            self._line.remove(tenant)
        tenant.in_line = tenant.running < self._share
        if tenant.in_line:
            self._line.appendleft(tenant)

    def take(self) -> Held | None:
        """Return the next record, which counts as running from now, or None."""
        if not self._line:
            return None
        tenant = self._line.popleft()
        tenant.in_line = False
        tenant.running += 1
        held = tenant.ready.popleft()
        if tenant.ready:
            self._line_up(tenant)
        return held

    def end(self, held: Held) -> None:
        """Count a record that was taken as running no more."""
        tenant = self._tenants[held.tenant]
        tenant.running -= 1
        if not tenant.in_line:
            self._line_up(tenant)

    def forget_the_gone(self) -> None:
        """Let records that left meanwhile wait no longer."""
        for tenant in self._tenants.values():
            tenant.ready = deque(held for held in tenant.ready if held.state != "gone")
            tenant.in_line = False
        line, self._line = self._line, deque()
        for tenant in line:
            self._line_up(tenant)

    def _line_up(self, tenant: "_Tenant") -> None:
        """Let a tenant that is not in line have a turn, if it has what for and may."""
        if tenant.ready:
            if tenant.running < self._share:
                tenant.in_line = True
                self._line.append(tenant)
        elif not tenant.running:
            del self._tenants[tenant.name]


class _Tenants(dict[bytes, "_Tenant"]):
    """The tenants of whom something waits or runs, by name; one that is new begins here."""

    def __missing__(self, name: bytes) -> "_Tenant":
        tenant = self[name] = _Tenant(name)
        return tenant


class _Tenant:
    """A tenant of whom something waits or runs."""

    __slots__ = ("in_line", "name", "ready", "running")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.ready: deque[Held] = deque()
        self.running = 0
        self.in_line = False
