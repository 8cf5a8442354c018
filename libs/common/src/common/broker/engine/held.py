"""A record in the engine's hands."""

import asyncio
from collections import deque
from typing import Any, Literal

from common.broker.dead_letters.letters import DeadLetter
from common.broker.transport import Delivery
from common.events import Event, header
from common.observability.correlation import Headers

Key = tuple[str, str]

State = Literal["queued", "running", "resting", "gone"]
"""Where a held record is."""


class Held:
    """A delivery, and what became of it so far."""

    __slots__ = (
        "attempts",
        "behind",
        "delivery",
        "event",
        "failing_since",
        "judged",
        "key",
        "leaving",
        "left",
        "lost",
        "reported",
        "size",
        "started_at",
        "state",
        "task",
        "tenant",
        "traceparent",
        "verdict",
    )

    def __init__(self, delivery: Delivery) -> None:
        """Take a delivery into our hands."""
        record = delivery.record
        size, tenant, traceparent = len(record.key) + len(record.value), b"", None
        for name, value in record.headers:
            size += len(value)
            if name == "ce_tenantid":
                tenant = value
            elif name == "traceparent":
                traceparent = value
        self.delivery = delivery
        self.key: Key = (record.topic, record.key)
        """The lane it belongs to."""
        self.tenant = tenant
        """As its header says, which nobody has checked: for fairness alone."""
        self.traceparent: bytes | None = traceparent
        """Where it belongs in its trace."""
        self.size = size
        """In bytes, without the names of its headers."""
        self.state: State = "queued"
        self.behind: deque[Held] | None = None
        """Later records of its key, while it is the first of them."""
        self.leaving = False
        """Its shard is being taken away: it may finish, and is not tried again."""
        self.event: Event[Any] | None = None
        """What it says, once that was read."""
        self.attempts = 0
        self.failing_since: float | None = None
        """On the loop's clock, as every time here."""
        self.verdict: DeadLetter | None = None
        """What is to be written before it is acknowledged, once it is given up."""
        self.judged = False
        """The verdict was found to say nothing against the consumer or the tenant."""
        self.task: asyncio.Task[None] | None = None
        self.started_at = 0.0
        """When its handler began, the last time."""
        self.reported = False
        """It was said that its handler takes long."""
        self.lost = False
        """It was cut short: whatever its handler still does is not acknowledged."""
        self.left: asyncio.Future[None] | None = None

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
