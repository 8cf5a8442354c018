import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.sends.splitting import split

LIMIT = 1600
SEEN_AS_ONE = ["e\u0301", "👩‍👩‍👧", "🇧🇷", "👍🏽", "❤️", "a"]
SIGNS = st.sampled_from([*SEEN_AS_ONE, " ", "\n\n", ". ", "ção "])
TEXTS = st.one_of(st.text(max_size=300), st.lists(SIGNS, max_size=200).map("".join))


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def without_space(text: str) -> str:
    return "".join(text.split())


@given(text=TEXTS, limit=st.integers(2, 60))
def test_no_text_is_lost_and_every_part_fits(text: str, limit: int) -> None:
    parts = split(text, limit)

    assert without_space("".join(parts)) == without_space(text)
    assert max(map(units, parts)) <= limit
    assert parts == ("",) or all(parts)


@given(signs=st.lists(st.sampled_from(SEEN_AS_ONE), max_size=100), limit=st.integers(24, 60))
def test_what_is_seen_as_one_sign_stays_together(signs: list[str], limit: int) -> None:
    whole = re.compile(f"(?:{'|'.join(SEEN_AS_ONE)})+")

    for part in split("".join(signs), limit):
        assert part == "" or whole.fullmatch(part)


def test_a_text_that_fits_is_sent_as_it_is() -> None:
    assert split("  Olá!\n", LIMIT) == ("  Olá!\n",)
    assert split("", LIMIT) == ("",)
    assert split("x" * LIMIT, LIMIT) == ("x" * LIMIT,)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("First one.\n\nSecond. Third", ("First one.", "Second. Third")),
        ("A first line\nand another one", ("A first line", "and another one")),
        ("One sentence. Another is here", ("One sentence.", "Another is here")),
        ("words and nothing else but", ("words and", "nothing else", "but")),
        ("abcdefghijklmnopqrst", ("abcdefghijklmno", "pqrst")),
    ],
)
def test_the_cut_is_where_a_reader_would_pause(text: str, parts: tuple[str, ...]) -> None:
    assert split(text, 15) == parts


def test_an_early_paragraph_is_not_worth_a_short_part() -> None:
    assert split("Oi!\n\nTudo bem com você?", 15)[0] == "Oi!\n\nTudo bem"


def test_an_emoji_counts_as_two() -> None:
    assert split("😀" * 5, 4) == ("😀😀", "😀😀", "😀")


def test_a_flag_and_a_family_stay_whole() -> None:
    assert split("abc🇧🇷def", 5) == ("abc", "🇧🇷d", "ef")
    assert split("abcdefg👩‍👩‍👧hi", 14) == ("abcdefg", "👩‍👩‍👧hi")


def test_a_long_answer_makes_as_few_messages_as_it_can() -> None:
    words = "pão de queijo quentinho toda manhã "

    parts = split(words * (4000 // len(words)), LIMIT)

    assert len(parts) == 3
