"""The table of conversations, and what holds for all of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Unanswered
from processor.conversation.rules import (
    Act,
    Closing,
    Happening,
    Patience,
    Standing,
    State,
    Step,
    decide,
    next_change,
    silence,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATIENCE = Patience(idle=timedelta(hours=1), expiry=timedelta(hours=24))
ENDINGS = (Happening.OPT_OUT, Happening.CLOSE, Happening.FAREWELL, Happening.FAILURE)


def since(state: State, quiet: timedelta, closing: Closing | None = None) -> Standing:
    if state is State.CLOSED:
        closing = closing or Closing.OPERATOR
    return Standing(state, closing, NOW - quiet)


def after(happening: Happening, state: State, quiet: timedelta = timedelta(0)) -> Step:
    return decide(since(state, quiet), happening, NOW, PATIENCE)


states = st.sampled_from(State)
happenings = st.sampled_from(Happening)
quiets = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60))


@pytest.mark.parametrize(
    ("state", "happening", "expected"),
    [
        (State.PENDING, Happening.MESSAGE, Step(State.PENDING, Act.ANSWER)),
        (State.ACTIVE, Happening.MESSAGE, Step(State.ACTIVE, Act.ANSWER)),
        (State.IDLE, Happening.MESSAGE, Step(State.ACTIVE, Act.ANSWER)),
        (State.HANDOFF, Happening.MESSAGE, Step(State.HANDOFF, Act.LEAVE)),
        (State.PENDING, Happening.REPLY, Step(State.ACTIVE, Act.SEND)),
        (State.HANDOFF, Happening.REPLY, Step(State.HANDOFF, Act.DISCARD)),
        (State.ACTIVE, Happening.TAKE_OVER, Step(State.HANDOFF)),
        (State.HANDOFF, Happening.HAND_BACK, Step(State.ACTIVE)),
        (State.HANDOFF, Happening.CLOSE, Step(State.CLOSED, closing=Closing.OPERATOR)),
        (State.ACTIVE, Happening.OPT_OUT, Step(State.CLOSED, closing=Closing.CONTACT)),
    ],
)
def test_what_happens_to_a_conversation(state: State, happening: Happening, expected: Step) -> None:
    assert after(happening, state) == expected


@given(states, happenings, quiets)
def test_every_state_knows_what_to_do_about_everything(
    state: State, happening: Happening, quiet: timedelta
) -> None:
    step = after(happening, state, quiet)

    assert (step.state is State.CLOSED) == (step.closing is not None)


@given(happenings, quiets, st.sampled_from(Closing))
def test_closed_is_final_and_keeps_its_reason(
    happening: Happening, quiet: timedelta, closing: Closing
) -> None:
    step = decide(since(State.CLOSED, quiet, closing), happening, NOW, PATIENCE)

    assert (step.state, step.closing) == (State.CLOSED, closing)
    assert step.act in (Act.NOTHING, Act.REOPEN, Act.DISCARD)


@given(happenings, quiets)
def test_the_assistant_is_silent_while_a_person_answers(
    happening: Happening, quiet: timedelta
) -> None:
    assert after(happening, State.HANDOFF, quiet).act not in (Act.ANSWER, Act.SEND)


@given(states, quiets)
def test_a_message_always_ends_in_an_open_conversation_or_a_new_one(
    state: State, quiet: timedelta
) -> None:
    step = after(Happening.MESSAGE, state, quiet)

    assert (step.act is Act.REOPEN) == (step.state is State.CLOSED)


@given(states, quiets)
def test_a_reply_is_sent_or_thrown_away_with_a_reason(state: State, quiet: timedelta) -> None:
    step = after(Happening.REPLY, state, quiet)

    assert (step.act is Act.SEND) == (silence(step) is None)


@given(states, st.sampled_from(ENDINGS), quiets)
def test_what_ends_a_conversation_leaves_it_closed(
    state: State, ending: Happening, quiet: timedelta
) -> None:
    assert after(ending, state, quiet).state is State.CLOSED


@given(states, quiets, quiets)
def test_time_goes_one_way(state: State, quiet: timedelta, more: timedelta) -> None:
    early = after(Happening.TIME, state, quiet).state
    late = after(Happening.TIME, state, quiet + more).state

    order = {State.PENDING: 0, State.ACTIVE: 0, State.IDLE: 1, State.CLOSED: 2}
    assert order.get(late, 0) >= order.get(early, 0)


@given(states, quiets)
def test_nothing_changes_before_the_time_that_was_announced(state: State, quiet: timedelta) -> None:
    standing = since(state, quiet)
    due = next_change(standing, PATIENCE)

    still = decide(standing, Happening.TIME, NOW, PATIENCE).state is state
    assert still == (due is None or due > NOW)


def test_silence_makes_idle_and_longer_silence_closes() -> None:
    silences = (timedelta(minutes=59), timedelta(hours=1), timedelta(hours=24))

    states = [after(Happening.TIME, State.ACTIVE, quiet).state for quiet in silences]

    assert states == [State.ACTIVE, State.IDLE, State.CLOSED]


def test_expiry_before_idleness_closes_all_the_same() -> None:
    hasty = Patience(idle=timedelta(hours=2), expiry=timedelta(hours=1))
    standing = since(State.ACTIVE, timedelta(hours=1))

    assert next_change(standing, hasty) == NOW
    assert decide(standing, Happening.TIME, NOW, hasty).closing is Closing.EXPIRED


def test_silence_has_the_reason_of_its_state() -> None:
    assert silence(after(Happening.MESSAGE, State.HANDOFF)) is Unanswered.HANDOFF
    assert silence(after(Happening.REPLY, State.CLOSED)) is Unanswered.CLOSED
    assert silence(after(Happening.MESSAGE, State.ACTIVE)) is None
