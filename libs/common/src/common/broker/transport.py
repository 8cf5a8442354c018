"""The port between the engine and a product that carries records.

A transport moves bytes and keeps them safe. What Recado promises (order per key, retries, dead
letters, pauses, drains) is the engine's, and the same over every transport.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from common.errors import DependencyDown, PermanentError
from common.events import Record, Topic

LARGEST_RECORD = 1_000_000
"""Bytes of key, headers and value: what Kafka's default limit of 1 MiB a batch leaves for them."""


@dataclass(slots=True)  # freezing one costs as much as handling it
class Delivery:
    """One record, handed to us until it is acknowledged or taken away.

    `record_id` names the record in its topic and stays the same at each delivery; `token` says
    which delivery this is, means something to its transport only, and is worthless once the
    delivery was taken away.
    """

    record: Record
    record_id: str
    token: Any
    shard: str
    """What is given and taken away as one: a partition of Kafka, a leased key elsewhere."""


Revoked = Callable[[Collection[str]], Coroutine[Any, Any, None]]
"""The engine's answer to shards being taken away.

Returns once nothing of theirs is in a handler and what was finished was handed to `acknowledge`.
"""


class SubscriptionLostError(DependencyDown):
    """This subscription will deliver nothing more; another one may."""


class Subscription(Protocol):
    """One process' share of some topics. Records of one key come in order, to one process only."""

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """Return up to `limit` records, or none after half a second at most.

        The caller takes them in without a pause: what it is given can be revoked right afterwards.
        Raises `DependencyDown` while the broker is away; call again then, or subscribe anew after
        `SubscriptionLostError`.
        """
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Never deliver these again, if they are still ours; those that are not are passed over.

        May be kept back until everything before it is done too. Raises `DependencyDown`.
        """
        ...

    async def flush(self) -> None:
        """Make what was acknowledged durable now. Raises `DependencyDown`."""
        ...

    def unsettled_seconds(self) -> float:
        """Return for how long the oldest record is acknowledged that would yet come again.

        0 where there is none: where `acknowledge` makes it durable, there never is.
        """
        ...

    async def waiting(self) -> Mapping[str, int]:
        """Count, by topic, the records that are ours to come and were not handed to us yet.

        Raises `DependencyDown`.
        """
        ...


class Transport(Protocol):
    """A product that carries records."""

    async def publish(self, record: Record) -> None:
        """Return once the record is durable. It may be durable although this raised.

        Waits as long as its caller does. Raises `DependencyDown` while the broker is away,
        `PermanentError` for a record it will never take.
        """
        ...

    def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AbstractAsyncContextManager[Subscription]:
        """Join `group`; leave it at the end, giving back at once what was not acknowledged.

        Entering raises `DependencyDown` while the broker is away.
        """
        ...

    async def check(self) -> None:
        """Raise `DependencyDown` when the broker cannot take a record now."""
        ...


def size_of(record: Record) -> int:
    """Return the bytes of key, headers and value."""
    size = len(record.key.encode()) + len(record.value)
    return size + sum(len(name.encode()) + len(value) for name, value in record.headers)


def refuse_oversized(record: Record, limit: int = LARGEST_RECORD) -> None:
    """Raise `PermanentError` for a record that some broker would refuse.

    Before it is sent: Kafka's idempotent producer does not recover from the broker's refusal.
    """
    size = size_of(record)
    if size > limit:
        raise PermanentError(f"a record of {size} bytes for {record.topic}; {limit} is the limit")
