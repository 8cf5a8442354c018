"""What becomes of a conversation: a pure function of state, event and time, as one table.

`pending` (no reply yet) → `active` → `idle` → back to `active` at the next message; `handoff` is a
person's; `closed` is final, and the next message opens another conversation.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from common.events import Unanswered

REPLIED = "replied"
"""The outcome of a message that a reply covers; every other outcome is an `Unanswered`."""


class State(StrEnum):
    """Where a conversation stands."""

    PENDING = "pending"
    ACTIVE = "active"
    IDLE = "idle"
    HANDOFF = "handoff"
    CLOSED = "closed"


class Closing(StrEnum):
    """Why a conversation was closed."""

    CONTACT = "contact"
    OPERATOR = "operator"
    ASSISTANT = "assistant"
    EXPIRED = "expired"
    FAILED = "failed"


class Happening(StrEnum):
    """What can happen to a conversation."""

    MESSAGE = "the contact wrote"
    OPT_OUT = "the contact wants no messages"
    REPLY = "the assistant has a reply"
    TIME = "time passed"
    TAKE_OVER = "an operator takes over"
    HAND_BACK = "an operator hands back"
    CLOSE = "an operator closes"
    FAREWELL = "the assistant closes"
    FAILURE = "the assistant failed for good"


class Act(StrEnum):
    """What is to be done about it."""

    NOTHING = "nothing"
    ANSWER = "have the assistant answer"
    LEAVE = "leave the message to the person"
    REOPEN = "open another conversation for it"
    SEND = "send the reply"
    DISCARD = "throw the reply away"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules know of a conversation."""

    state: State
    closing: Closing | None
    active_at: datetime
    """When either side last said something."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much silence makes a conversation idle, and how much closes it."""

    idle: timedelta
    expiry: timedelta


@dataclass(frozen=True, slots=True)
class Step:
    """Where the conversation stands then, and what is to be done."""

    state: State
    act: Act = Act.NOTHING
    closing: Closing | None = None


def decide(standing: Standing, happening: Happening, now: datetime, patience: Patience) -> Step:
    """Return what becomes of the conversation; time that passed unnoticed counts first."""
    state, closing = _aged(standing, now, patience)
    step = _TABLE[happening][state]
    return Step(step.state, step.act, closing or step.closing)


def silence(step: Step) -> Unanswered | None:
    """Name the outcome of a message that the rules leave without the assistant's reply."""
    if step.act in (Act.LEAVE, Act.DISCARD):
        return Unanswered.HANDOFF if step.state is State.HANDOFF else Unanswered.CLOSED
    return None


def next_change(standing: Standing, patience: Patience) -> datetime | None:
    """Return when time alone will change the state; None where it never will."""
    match standing.state:
        case State.ACTIVE:
            return standing.active_at + min(patience.idle, patience.expiry)
        case State.PENDING | State.IDLE:
            return standing.active_at + patience.expiry
        case State.HANDOFF | State.CLOSED:
            return None


def _aged(standing: Standing, now: datetime, patience: Patience) -> tuple[State, Closing | None]:
    quiet = now - standing.active_at
    if standing.state in (State.HANDOFF, State.CLOSED):
        return standing.state, standing.closing
    if quiet >= patience.expiry:
        return State.CLOSED, Closing.EXPIRED
    if standing.state is State.ACTIVE and quiet >= patience.idle:
        return State.IDLE, None
    return standing.state, None


_PENDING, _ACTIVE, _IDLE, _HANDOFF = (
    Step(State.PENDING),
    Step(State.ACTIVE),
    Step(State.IDLE),
    Step(State.HANDOFF),
)
_CLOSED = Step(State.CLOSED)  # with the reason it was closed for


def _closed_by(reason: Closing) -> dict[State, Step]:
    closing = Step(State.CLOSED, closing=reason)
    return {state: closing for state in State if state is not State.CLOSED} | {
        State.CLOSED: _CLOSED
    }


_TABLE: dict[Happening, dict[State, Step]] = {
    Happening.MESSAGE: {
        State.PENDING: Step(State.PENDING, Act.ANSWER),
        State.ACTIVE: Step(State.ACTIVE, Act.ANSWER),
        State.IDLE: Step(State.ACTIVE, Act.ANSWER),
        State.HANDOFF: Step(State.HANDOFF, Act.LEAVE),
        State.CLOSED: Step(State.CLOSED, Act.REOPEN),
    },
    Happening.REPLY: {
        State.PENDING: Step(State.ACTIVE, Act.SEND),
        State.ACTIVE: Step(State.ACTIVE, Act.SEND),
        State.IDLE: Step(State.ACTIVE, Act.SEND),
        State.HANDOFF: Step(State.HANDOFF, Act.DISCARD),
        State.CLOSED: Step(State.CLOSED, Act.DISCARD),
    },
    Happening.TIME: {
        State.PENDING: _PENDING,
        State.ACTIVE: _ACTIVE,
        State.IDLE: _IDLE,
        State.HANDOFF: _HANDOFF,
        State.CLOSED: _CLOSED,
    },
    Happening.TAKE_OVER: {
        State.PENDING: _HANDOFF,
        State.ACTIVE: _HANDOFF,
        State.IDLE: _HANDOFF,
        State.HANDOFF: _HANDOFF,
        State.CLOSED: _CLOSED,
    },
    Happening.HAND_BACK: {
        State.PENDING: _PENDING,
        State.ACTIVE: _ACTIVE,
        State.IDLE: _IDLE,
        State.HANDOFF: _ACTIVE,
        State.CLOSED: _CLOSED,
    },
    Happening.OPT_OUT: _closed_by(Closing.CONTACT) | {State.CLOSED: Step(State.CLOSED, Act.REOPEN)},
    Happening.CLOSE: _closed_by(Closing.OPERATOR),
    Happening.FAREWELL: _closed_by(Closing.ASSISTANT),
    Happening.FAILURE: _closed_by(Closing.FAILED),
}
