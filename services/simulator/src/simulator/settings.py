"""All that the simulator reads from its environment."""

from pathlib import Path

from pydantic import Field

from common.settings import Section, Settings


class SimulatorSection(Section):
    """Where the stand-in for Twilio listens and how fast its world moves. All times are seconds."""

    file: Path = Field(
        default=Path("var/simulator.db"),
        description="The SQLite file that holds the simulator's ledger.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="The address to listen on. Anyone who reaches it can write as any customer.",
    )
    port: int = Field(default=8090, ge=0, le=65535, description="The port to listen on.")
    seed: int = Field(default=1, description="Makes faults that come at a rate repeatable.")
    sent_seconds: float = Field(
        default=0.4, ge=0, description="From the acceptance of a message to its status `sent`."
    )
    delivered_seconds: float = Field(
        default=1.0, ge=0, description="From acceptance to `delivered`."
    )
    read_seconds: float = Field(
        default=2.0, ge=0, description="From acceptance to `read`, on WhatsApp."
    )
    read_receipts: bool = Field(
        default=True, description="Whether customers have WhatsApp's read receipts switched on."
    )
    session_window_seconds: float = Field(
        default=24 * 3600,
        gt=0,
        description="How long after a customer's message a WhatsApp reply in free form arrives.",
    )
    retry_pause_seconds: float = Field(
        default=0.25,
        ge=0,
        description="Before a webhook is first repeated; each further pause is twice as long.",
    )


class SimulatorSettings(Settings):
    """What `python -m simulator` reads."""

    simulator: SimulatorSection = SimulatorSection()
