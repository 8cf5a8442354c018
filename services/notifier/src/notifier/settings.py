"""What the notifier reads from its environment."""

from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from common.settings import Section, Settings
from notifier import job_kinds


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("Write an address like https://recado.example.org")
    return url.rstrip("/")


def _callable_by_twilio(url: str) -> str:
    if "_" in (urlsplit(url).hostname or ""):
        raise ValueError("Twilio calls no host with an underscore in its name")
    return url


Origin = Annotated[str, AfterValidator(_origin)]


class NotifierSection(Section):
    """How replies are sent, and how far their delivery is followed."""

    status_callback_base: Annotated[Origin, AfterValidator(_callable_by_twilio)] = Field(
        description="The gateway's public address, which Twilio calls with what became of a send."
    )
    twilio_url: Origin = Field(
        default="https://api.twilio.com", description="Where Twilio's REST API, or a stand-in, is."
    )
    call_seconds: float = Field(
        default=10.0, gt=0, description="How long one call to Twilio may take, answer included."
    )
    connect_seconds: float = Field(
        default=3.0, gt=0, description="How long connecting to Twilio may take."
    )
    recipients_at_once: int = Field(
        default=8, ge=1, description="Recipients of one sender that are served at the same time."
    )
    run_seconds: float = Field(
        default=5.0, gt=0, description="After how long a busy sender lets others have its turn."
    )
    whatsapp_per_second: float = Field(
        default=80.0, gt=0, description="Messages a second that one WhatsApp sender may send."
    )
    sms_per_second: float = Field(
        default=1.0, gt=0, description="Messages a second that one SMS sender may send."
    )
    part_length: int = Field(
        default=1600, ge=160, le=1600, description="Longest message, in UTF-16 units."
    )
    retry_first_seconds: float = Field(
        default=2.0, gt=0, description="Shortest wait before a part that was not taken is retried."
    )
    retry_longest_seconds: float = Field(
        default=300.0, gt=0, description="Longest wait before a part that was not taken is retried."
    )
    reconcile_first_seconds: float = Field(
        default=35.0,
        ge=0,
        description="From a send of unknown outcome to the first look at Twilio's list.",
    )
    reconcile_second_seconds: float = Field(
        default=60.0, ge=0, description="From the first look at Twilio's list to the second."
    )
    reconcile_limit_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="When to leave a send of unknown outcome to a person, if no list can be had.",
    )
    uncertain_blocks_seconds: float = Field(
        default=180.0,
        ge=0,
        description="How long later messages to a recipient wait for one of unknown outcome.",
    )

    def retry_delay(self, waited: timedelta) -> timedelta:
        """Return how long to wait again, after having waited so long: doubling, within limits."""
        longest = timedelta(seconds=self.retry_longest_seconds)
        return min(longest, max(timedelta(seconds=self.retry_first_seconds), waited))


class NotifierSettings(Settings):
    """The settings of the notifier's process."""

    job_kinds: ClassVar[frozenset[str]] = frozenset(job_kinds.ALL)

    notifier: NotifierSection
