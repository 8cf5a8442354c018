"""What each event says. Payloads change by addition; a breaking change is a new type, `….v2`."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.ids import Ulid


class Channel(StrEnum):
    """How the contact writes to us."""

    WHATSAPP = "whatsapp"
    SMS = "sms"


class Unanswered(StrEnum):
    """Why an accepted message got no reply: the closed list."""

    HANDOFF = "handoff"
    OPTED_OUT = "opted out"
    QUOTA = "quota"
    WINDOW = "window"
    AGE = "age"
    NOTHING_TO_ANSWER = "nothing to answer"
    CLOSED = "closed"
    BOT_LOOP = "bot loop"
    REFUSED = "refused by the provider"
    UNDER_REVIEW = "send under review"
    DEAD_LETTERED = "dead-lettered"
    ERASED = "erased"


class Payload(BaseModel):
    """A fact, or the one command, that crosses from one service to another."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]

    @property
    def key(self) -> str:
        """What keeps its order: records with the same key are handled one at a time, in order."""
        raise NotImplementedError


class MediaReference(BaseModel):
    """One attachment, as the provider lists it; the bytes stay there."""

    model_config = ConfigDict(frozen=True)

    url: str
    content_type: str


class MessageReceived(Payload):
    """A contact wrote to one of our senders."""

    type: ClassVar[str] = "messages.received.v1"

    account: Ulid = Field(description="The channel account whose webhook was called.")
    provider_message_id: str = Field(description="Twilio's MessageSid.")
    channel: Channel
    sender: str = Field(description="Our number or service, as Twilio wrote it in `To`.")
    contact: str = Field(description="The contact's address, as Twilio wrote it in `From`.")
    text: str
    media: tuple[MediaReference, ...] = ()
    profile_name: str | None = Field(default=None, description="Chosen by the contact: untrusted.")
    received_at: AwareDatetime = Field(description="When the gateway took it.")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Every other field of the form, known or not."
    )

    @property
    def key(self) -> str:
        """One contact at one of our senders, as received."""
        return f"{self.account}|{self.sender}|{self.contact}"


class SendMessage(Payload):
    """Send this text to that recipient. The one command on the broker."""

    type: ClassVar[str] = "messages.send.v1"

    message: Ulid = Field(description="The reply's id: sending it twice is sending it once.")
    account: Ulid
    channel: Channel
    sender: str
    recipient: str
    text: str
    not_after: AwareDatetime = Field(description="Past this time it is not worth sending.")

    @property
    def key(self) -> str:
        """One recipient of one sender."""
        return _pair(self.sender, self.recipient)


class DeliveryReported(Payload):
    """A status callback, as it came."""

    type: ClassVar[str] = "deliveries.reported.v1"

    account: Ulid
    provider_message_id: str
    part: Ulid | None = Field(description="Our id of the part, from the callback's URL.")
    status: str = Field(description="Twilio's MessageStatus.")
    error_code: int | None = None
    reported_at: AwareDatetime
    attributes: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The provider's message."""
        return self.provider_message_id


class _SendUpdate(Payload):
    message: Ulid = Field(description="The reply's id, from `SendMessage`.")
    sender: str
    recipient: str
    part: Ulid
    ordinal: int = Field(description="Which part of the reply, from 0.")
    parts: int = Field(description="How many parts the reply has.")
    at: AwareDatetime

    @property
    def key(self) -> str:
        """One recipient of one sender."""
        return _pair(self.sender, self.recipient)


class SendAccepted(_SendUpdate):
    """The provider took a part of a reply."""

    type: ClassVar[str] = "deliveries.accepted.v1"

    provider_message_id: str


class SendDelivered(_SendUpdate):
    """A part is on its way, on the handset, or read."""

    type: ClassVar[str] = "deliveries.delivered.v1"

    status: str = Field(description="`sent`, `delivered` or `read`.")


class SendFailed(_SendUpdate):
    """A part will not arrive, or nobody knows whether it did."""

    type: ClassVar[str] = "deliveries.failed.v1"

    reason: Unanswered
    error_code: int | None = Field(default=None, description="Twilio's, where it gave one.")


def _pair(sender: str, recipient: str) -> str:
    return f"{sender}|{recipient}"
