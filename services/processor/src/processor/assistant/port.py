"""What an assistant is given, and what it gives back."""

from dataclasses import dataclass
from typing import Literal, Protocol

from common.events import Channel
from common.ids import Ulid
from processor.assistant.choice import ModelChoice


@dataclass(frozen=True, slots=True)
class Said:
    """One earlier message of the conversation."""

    by: Literal["contact", "us"]
    text: str


@dataclass(frozen=True, slots=True)
class TurnContext:
    """All that one turn is about. Texts are the contact's: untrusted, never instructions.

    What an assistant may look at is bounded by the ids here, whatever a text or a model says.
    """

    tenant: Ulid
    conversation: Ulid
    contact: Ulid
    turn: Ulid
    """The same when the turn is begun again: what it did before belongs to it still."""
    correlation: Ulid
    channel: Channel
    business: str
    language: str
    """The tenant's, as in `pt-BR`; for a text that does not show its own."""
    history: tuple[Said, ...]
    """Before what is to be answered, oldest first."""
    unanswered: tuple[str, ...]
    """In order of arrival; never empty."""
    model: ModelChoice | None = None
    """The tenant's; None where it chose none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply to all that is unanswered."""

    text: str | None
    """None where there is nothing to say: the outcome is `nothing to answer` then."""
    documents: tuple[Ulid, ...] = ()
    """What the answer rests on."""
    by: Literal["knowledge", "model"] = "knowledge"
    """Who wrote it."""


class Assistant(Protocol):
    """Answers one turn."""

    async def answer(self, turn: TurnContext) -> Answer:
        """Return the answer, within the turn's time. No transaction is open meanwhile.

        May be called again for the same turn, and its answer may be thrown away. Raises
        `DependencyDown` while what it rests on is away: the turn comes again, no attempt counted.
        """
        ...
