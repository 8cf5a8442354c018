"""What a model is told, and what of its answer is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.assistant import Said
from processor.assistant.prompt import (
    LONGEST_ANSWER,
    history,
    instructions_for,
    presentable,
    question,
)
from tests.unit.processor.turn_context import turn_context

SENTENCE = "Temos pão de queijo. "


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_instructions_are_the_same_whatever_customers_write(said: str, asked: str) -> None:
    turn = turn_context(asked, history=(Said("contact", said),))

    assert instructions_for(turn) == instructions_for(turn_context())


def test_the_instructions_name_the_business_and_its_language() -> None:
    told = instructions_for(turn_context())

    assert "“Padaria Estrela”" in told
    assert "the language `pt`" in told


def test_all_that_is_unanswered_is_one_question() -> None:
    assert question(turn_context("oi", "vocês abrem", "domingo?")) == "oi\nvocês abrem\ndomingo?"


def test_the_history_begins_with_the_customer() -> None:
    said = (Said("us", "Olá!"), Said("us", "Tudo bem?"), Said("contact", "oi"), Said("us", "Diga"))

    assert history(turn_context(history=said)) == said[2:]
    assert history(turn_context()) == ()


def test_a_good_answer_is_sent_as_it_is() -> None:
    answer = "Sim! 👨‍👩‍👧 das 7h às 13h:\n- pão\n- bolo"

    assert presentable(f"  {answer}\n") == answer


@pytest.mark.parametrize("nothing", ["", "  \n\n ", "\0\0", "\ud800"])
def test_nothing_is_left_of_an_answer_that_says_nothing(nothing: str) -> None:
    assert presentable(nothing) == ""


def test_characters_that_no_message_can_hold_are_left_out() -> None:
    assert presentable("a\0b\x1b[1mc\ud83dd") == "ab[1mcd"


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        (SENTENCE * 200, "pão de queijo."),
        ("palavra " * 400, "palavra…"),
        ("a" * 5000, "a…"),
        ("Sim. " + "palavra " * 400, "palavra…"),
    ],
    ids=["sentences", "words", "letters", "one short sentence"],
)
def test_what_is_too_long_ends_where_it_can(text: str, ending: str) -> None:
    shown = presentable(text)

    assert shown.endswith(ending)
    assert LONGEST_ANSWER / 2 < len(shown) <= LONGEST_ANSWER


@given(st.text(max_size=3 * LONGEST_ANSWER))
def test_an_answer_is_never_too_long_and_always_text(text: str) -> None:
    shown = presentable(text)

    assert len(shown) <= LONGEST_ANSWER
    assert shown.encode().decode() == shown
    assert "\0" not in shown
