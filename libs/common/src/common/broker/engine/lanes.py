"""Who may run now: a lane for each key, a record at a time in it, lanes in turn.

A pure structure without a clock or a task. A record is *queued* in its lane; the first of a lane
is *running* once taken, *resting* while its back-off lasts, and leaves when it is settled. A lane
whose first record is queued waits for its turn among those of its tenant, and tenants take turns.
"""

from collections import deque
from collections.abc import Collection, Iterator

from common.broker.engine.held import Held, Key
from common.broker.engine.turns import Turns
from common.broker.transport import Delivery


class Lanes:
    """All records that are held and not settled."""

    def __init__(self, per_tenant: int) -> None:
        """Start empty; let so many records of one tenant run at a time."""
        self._heads: dict[Key, Held] = {}
        """The first record of each lane; the others stand behind it."""
        self._turns = Turns(per_tenant)
        self._count = 0
        self.size = 0
        """Bytes of all records."""
        self.settled = 0
        """How many left so far because they were settled."""

    def __len__(self) -> int:
        """Count the records, the running ones included."""
        return self._count

    def __iter__(self) -> Iterator[Held]:
        """Go through all records; those of one key in order."""
        return (held for head in self._heads.values() for held in _lane(head))

    def heads(self) -> Iterator[Held]:
        """Go through the first record of each lane: whatever runs or rests is among them."""
        return iter(self._heads.values())

    def add(self, delivery: Delivery) -> None:
        """Queue a record behind those of its key."""
        held = Held(delivery)
        self._count += 1
        self.size += held.size
        head = self._heads.setdefault(held.key, held)
        if head is held:
            self._turns.add(held)
        elif head.behind is None:
            head.behind = deque((held,))
        else:
            head.behind.append(held)

    def take(self, now: float) -> Held | None:
        """Return the first record of the lane whose turn it is, or None."""
        held = self._turns.take()
        if held is not None:
            held.state, held.started_at, held.reported = "running", now, False
        return held

    def rest(self, held: Held) -> None:
        """Let a running record wait; its lane waits behind it and takes up no slot."""
        held.state = "resting"
        self._turns.end(held)

    def wake(self, held: Held) -> None:
        """End a rest. A record that left meanwhile is passed over."""
        if held.state == "resting":
            held.state = "queued"
            self._turns.add(held)

    def put_back(self, held: Held) -> None:
        """Undo `take`: the record is the next one to be taken."""
        held.state = "queued"
        self._turns.end(held)
        self._turns.add_first(held)

    def settle(self, held: Held) -> None:
        """Let a running record go; the next one of its lane is ready."""
        self._forget(held)
        self.settled += 1
        if held.behind:
            head = self._heads[held.key] = held.behind.popleft()
            head.behind = held.behind
            self._turns.add(head)
        else:
            del self._heads[held.key]
        self._turns.end(held)
        if held.left is not None and not held.left.done():
            held.left.set_result(None)

    def drop(self, shards: Collection[str] | None) -> list[Held]:
        """Forget what is not running of these shards, or of all; return what is."""
        running: list[Held] = []
        for key, head in list(self._heads.items()):
            kept = deque(held for held in _lane(head) if not self._dropped(held, shards, running))
            if not kept:
                del self._heads[key]
                continue
            first = self._heads[key] = kept.popleft()
            first.behind = kept
            if first is not head:
                self._turns.add(first)
        self._turns.forget_the_gone()
        return running

    def _dropped(self, held: Held, shards: Collection[str] | None, running: list[Held]) -> bool:
        if shards is not None and held.delivery.shard not in shards:
            return False
        if held.state == "running":
            held.leaving = True
            running.append(held)
            return False
        self._forget(held)
        return True

    def _forget(self, held: Held) -> None:
        held.state = "gone"
        self._count -= 1
        self.size -= held.size


def _lane(head: Held) -> tuple[Held, ...]:
    return head, *(head.behind or ())
