"""A record in the engine's hands."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Self

from common.broker.dead_letters.letters import DeadLetter
from common.broker.transport import Delivery
from common.events import Event, header
from common.observability.correlation import Headers

Key = tuple[str, str]


class State(Enum):
    """Where a held record is."""

    QUEUED = auto()
    RUNNING = auto()
    RESTING = auto()
    GONE = auto()


@dataclass(eq=False)  # without slots, so that what most records never need costs nothing
class Held:
    """A delivery, and what became of it so far."""

    delivery: Delivery
    key: Key
    """The lane it belongs to."""
    tenant: str
    """As its header says, which nobody has checked: for fairness alone."""
    traceparent: bytes | None
    """Where it belongs in its trace."""
    size: int
    """In bytes, without the names of its headers."""
    state: State = field(init=False, default=State.QUEUED)
    leaving: bool = field(init=False, default=False)
    """Its shard is being taken away: it may finish, and is not tried again."""
    event: Event[Any] | None = field(init=False, default=None)
    """What it says, once that was read."""
    attempts: int = field(init=False, default=0)
    failing_since: float | None = field(init=False, default=None)
    """On the loop's clock, as every time here."""
    verdict: DeadLetter | None = field(init=False, default=None)
    """What is to be written before it is acknowledged, once it is given up."""
    judged: bool = field(init=False, default=False)
    """The verdict was found to say nothing against the consumer or the tenant."""
    task: asyncio.Task[None] | None = field(init=False, default=None)
    started_at: float = field(init=False, default=0.0)
    """When its handler began, the last time."""
    reported: bool = field(init=False, default=False)
    """It was said that its handler takes long."""
    lost: bool = field(init=False, default=False)
    """It was cut short: whatever its handler still does is not acknowledged."""
    left: asyncio.Future[None] | None = field(init=False, default=None)

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Take a delivery into our hands."""
        record = delivery.record
        size, tenant, traceparent = len(record.key) + len(record.value), b"", None
        for name, value in record.headers:
            size += len(value)
            if name == "ce_tenantid":
                tenant = value
            elif name == "traceparent":
                traceparent = value
        key = record.topic, record.key
        return cls(delivery, key, tenant.decode(errors="replace"), traceparent, size)

    @property
    def headers(self) -> Headers:
        """See `Work`."""
        return self.delivery.record.headers

    def names(self) -> dict[str, str]:
        """See `Work`."""
        names = {
            "topic": self.delivery.record.topic,
            "record_id": self.delivery.record_id,
            "event_id": header(self.delivery.record, "ce_id") or "",
        }
        if self.event is not None:
            names["correlation_id"] = str(self.event.correlation)
            names["tenant"] = str(self.event.tenant)
        return names

    def gone(self) -> asyncio.Future[None]:
        """Return what is done once it left its lane."""
        self.left = self.left or asyncio.get_running_loop().create_future()
        return self.left

    def begin_anew(self) -> None:
        """Forget how it failed."""
        self.attempts, self.failing_since, self.verdict = 0, None, None
