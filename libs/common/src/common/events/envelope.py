"""CloudEvents 1.0 attributes around one typed payload (github.com/cloudevents/spec)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Self, TypeVar

from common.events.payloads import Payload
from common.ids import Ulid, new_id

PayloadT = TypeVar("PayloadT", bound=Payload)


@dataclass(frozen=True, slots=True)
class Event(Generic[PayloadT]):
    """One event. The same `id` means the same event, whenever and however often it comes."""

    id: Ulid
    source: str
    time: datetime
    tenant: Ulid
    correlation: Ulid
    payload: PayloadT

    @classmethod
    def of(
        cls,
        payload: PayloadT,
        *,
        source: str,
        tenant: Ulid,
        correlation: Ulid,
        event_id: Ulid | None = None,
    ) -> Self:
        """Wrap a payload; give `event_id` (see `derived_id`) where the fact has a natural key."""
        return cls(event_id or new_id(), source, datetime.now(UTC), tenant, correlation, payload)
