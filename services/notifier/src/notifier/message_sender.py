"""The port to the provider of messages: what may be asked of it, and the few ways it can answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from common.accounts import ChannelAccount
from common.ids import Ulid


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """What the provider is asked to send."""

    part: Ulid
    correlation: Ulid
    sender: str
    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it, under this id."""

    provider_message_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider did not and will not take this request."""

    http_status: int
    code: int | None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request surely never left."""

    cause: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider may or may not have taken it."""

    cause: str


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message that the provider lists, sent by us or by somebody else with our account."""

    provider_message_id: str
    text: str
    status: str
    created_at: datetime | None
    """Whole seconds at Twilio."""
    error_code: int | None


SendResult = Accepted | Refused | NotSent | Unknown
ListResult = tuple[ListedMessage, ...] | Refused | NotSent | Unknown


class MessageSender(Protocol):
    """A provider of messages. Neither method raises for what the provider or the network does."""

    async def create(self, account: ChannelAccount, message: OutgoingMessage) -> SendResult:
        """Ask once to send; never longer than the call's time-out, never a second time."""
        ...

    async def list_messages(
        self, account: ChannelAccount, sender: str, recipient: str
    ) -> ListResult:
        """Return what went from `sender` to `recipient` lately, newest first."""
        ...
