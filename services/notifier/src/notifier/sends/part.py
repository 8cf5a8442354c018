"""A part of a send as the use cases see it."""

from dataclasses import dataclass
from datetime import datetime

from common.ids import Ulid
from notifier.sends.statuses import PartState, Statuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A row of `send_parts` with what its send says of all its parts."""

    tenant_id: Ulid
    id: Ulid
    send_id: Ulid
    ordinal: int
    parts: int
    account: Ulid
    channel: str
    sender: str
    recipient: str
    place: int
    text: str
    state: PartState
    not_before: datetime
    not_after: datetime
    accepted_at: datetime
    claim_token: int | None
    claimed_at: datetime | None
    provider_message_id: str | None
    statuses: Statuses
    looks: int
    resends: int
    error_code: int | None
    correlation_id: Ulid
