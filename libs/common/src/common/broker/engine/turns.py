"""Whose turn it is: tenant after tenant, and none beyond its share."""

from collections import OrderedDict, deque

from common.broker.engine.held import Held, State


class Turns:
    """Records that may run now. One tenant's thousand do not stand before another's one.

    A pure structure. A record that is not queued any more is passed over.
    """

    def __init__(self, share: int) -> None:
        """Let so many records of one tenant run at a time."""
        self._share = share
        self._ready: dict[str, deque[Held]] = {}
        self._running: dict[str, int] = {}
        self._order: OrderedDict[str, None] = OrderedDict()
        """The tenants that may have a turn; who just had one is last."""

    def add(self, held: Held) -> None:
        """Let a record wait behind those of its tenant."""
        ready = self._ready.get(held.tenant)
        if ready is None:
            ready = self._ready[held.tenant] = deque()
        ready.append(held)
        self._line_up(held.tenant)

    def add_first(self, held: Held) -> None:
        """Let a record be the next of all."""
        self._ready.setdefault(held.tenant, deque()).appendleft(held)
        self._line_up(held.tenant)
        if held.tenant in self._order:
            self._order.move_to_end(held.tenant, last=False)

    def take(self) -> Held | None:
        """Return the next record, which counts as running from now, or None."""
        while self._order:
            tenant, _ = self._order.popitem(last=False)
            if (held := self._first_of(tenant)) is not None:
                self._running[tenant] = self._running.get(tenant, 0) + 1
                self._line_up(tenant)
                return held
        return None

    def end(self, held: Held) -> None:
        """Count a record that was taken as running no more."""
        running = self._running.pop(held.tenant) - 1
        if running:
            self._running[held.tenant] = running
        self._line_up(held.tenant)

    def _first_of(self, tenant: str) -> Held | None:
        ready = self._ready[tenant]
        while ready:
            held = ready.popleft()
            if not ready:
                del self._ready[tenant]
            if held.state is State.QUEUED:
                return held
        return None

    def _line_up(self, tenant: str) -> None:
        if tenant in self._ready and self._running.get(tenant, 0) < self._share:
            self._order.setdefault(tenant)
