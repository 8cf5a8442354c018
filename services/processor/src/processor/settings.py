"""All that the processor reads from its environment."""

from pydantic import Field

from common.settings import Section, Settings


class ProcessorSection(Section):
    """How the processor holds conversations."""

    burst_window_seconds: float = Field(
        default=1.0,
        ge=0,
        description="How long a contact must be quiet before what they wrote is answered.",
    )
    burst_cap_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long a contact who keeps writing waits for an answer at most.",
    )
    reply_age_seconds: float = Field(
        default=6 * 3600.0,
        gt=0,
        description="How old a message may be and still be answered; outcome `age` past it.",
    )
    idle_seconds: float = Field(
        default=3600.0, gt=0, description="Silence after which a conversation is idle."
    )
    expiry_seconds: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="Silence after which a conversation is closed; the next message opens another.",
    )
    history_messages: int = Field(
        default=20, ge=0, description="Earlier messages that the assistant is shown."
    )


class ProcessorSettings(Settings):
    """What `python -m processor` reads."""

    processor: ProcessorSection = ProcessorSection()
