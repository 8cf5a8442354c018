"""Who may run now: a lane for each key, a record at a time in it, lanes in turn.

A pure structure without a clock or a task. A record is *queued* in its lane; the first of a lane
is *running* once taken, *resting* while its back-off lasts, and leaves when it is settled. A lane
whose first record is queued waits for its turn in the order in which it became ready.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from common.broker.dead_letters import DeadLetter
from common.broker.transport import Delivery

Key = tuple[str, str]


class State(Enum):
    """Where a held record is."""

    QUEUED = auto()
    RUNNING = auto()
    RESTING = auto()
    GONE = auto()


@dataclass(eq=False, slots=True)
class Held:
    """A delivery in the engine's hands, and what became of it so far."""

    delivery: Delivery
    state: State = State.QUEUED
    leaving: bool = False
    """Its shard is being taken away: it may finish, and is not tried again."""
    attempts: int = 0
    failing_since: float | None = None
    """On the monotonic clock."""
    verdict: DeadLetter | None = None
    """What is to be written before it is acknowledged, once it is given up."""
    task: asyncio.Task[None] | None = None
    lost: bool = False
    """It was cut short: whatever its handler still does is not acknowledged."""
    left: asyncio.Future[None] | None = None

    def gone(self) -> asyncio.Future[None]:
        """Return what is done once it left its lane."""
        self.left = self.left or asyncio.get_running_loop().create_future()
        return self.left

    @property
    def key(self) -> Key:
        """The lane it belongs to."""
        return self.delivery.record.topic, self.delivery.record.key


class Lanes:
    """All records that are held and not settled."""

    def __init__(self) -> None:
        """Start empty."""
        self._lanes: dict[Key, deque[Held]] = {}
        self._ready: deque[Key] = deque()
        self._size = 0

    def __len__(self) -> int:
        """Count the records, the running ones included."""
        return self._size

    @property
    def ready(self) -> bool:
        """Whether `take` would return a record."""
        return bool(self._ready)

    def add(self, delivery: Delivery) -> None:
        """Queue a record behind those of its key."""
        held = Held(delivery)
        self._size += 1
        lane = self._lanes.get(held.key)
        if lane is None:
            self._lanes[held.key] = deque((held,))
            self._ready.append(held.key)
        else:
            lane.append(held)

    def take(self) -> Held | None:
        """Return the first record of the lane that has been ready longest, or None."""
        if not self._ready:
            return None
        held = self._lanes[self._ready.popleft()][0]
        held.state = State.RUNNING
        return held

    def rest(self, held: Held) -> None:
        """Let a running record wait; its lane waits behind it and takes up no slot."""
        held.state = State.RESTING

    def wake(self, held: Held) -> None:
        """End a rest. A record that left meanwhile is passed over."""
        if held.state is State.RESTING:
            held.state = State.QUEUED
            self._ready.append(held.key)

    def put_back(self, held: Held) -> None:
        """Undo `take`: the record is the next one to be taken."""
        held.state = State.QUEUED
        self._ready.appendleft(held.key)

    def settle(self, held: Held) -> None:
        """Let a running record go; the next one of its lane is ready."""
        held.state = State.GONE
        self._size -= 1
        lane = self._lanes[held.key]
        lane.popleft()
        if lane:
            self._ready.append(held.key)
        else:
            del self._lanes[held.key]
        if held.left is not None and not held.left.done():
            held.left.set_result(None)

    def drop(self, shards: Collection[str] | None) -> list[Held]:
        """Forget what is not running of these shards, or of all; return what is."""
        running: list[Held] = []
        for key, lane in list(self._lanes.items()):
            kept = deque[Held]()
            for held in lane:
                if shards is not None and held.delivery.shard not in shards:
                    kept.append(held)
                elif held.state is State.RUNNING:
                    held.leaving = True
                    running.append(held)
                    kept.append(held)
                else:
                    held.state = State.GONE
                    self._size -= 1
            if kept:
                self._lanes[key] = kept
            else:
                del self._lanes[key]
        self._ready = deque(self._still_ready())
        return running

    def _still_ready(self) -> Iterator[Key]:
        """Keep the order of those that were ready; a lane that lost a resting head is ready now."""
        for key in dict.fromkeys((*self._ready, *self._lanes)):
            lane = self._lanes.get(key)
            if lane and lane[0].state is State.QUEUED:
                yield key
