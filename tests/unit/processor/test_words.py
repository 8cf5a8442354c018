"""Words as they are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.words import fold, language_of, stem, stems, stems_asked, stems_told, words


@pytest.mark.parametrize(
    "forms",
    [
        ("abrem", "abre", "abrir", "abriram"),
        ("bolo", "bolos"),
        ("pão", "pães"),
        ("encomendar", "encomenda", "encomendas", "encomendou"),
        ("estacionar", "estacionamento"),
        ("opção", "opções"),
        ("sunday", "sundays"),
        ("order", "orders", "ordering", "ordered"),
        ("delivery", "deliveries", "deliver"),
        ("cake", "cakes"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(fold(form)) for form in forms}) == 1


@pytest.mark.parametrize(
    "pair", [("bolo", "bolsa"), ("pão", "pai"), ("open", "order"), ("gato", "gasto")]
)
def test_different_words_have_different_stems(pair: tuple[str, str]) -> None:
    assert stem(fold(pair[0])) != stem(fold(pair[1]))


def test_case_and_accents_are_no_matter() -> None:
    assert stems("VOCÊS ABREM NO SÁBADO?") == stems("voces abrem no sabado")


def test_what_any_question_says_is_left_out() -> None:
    assert stems("Oi, bom dia! Vocês têm bolo, por favor?") == {"bol"}
    assert stems("Hello, do you have any cakes for 30 people, please?") == {"cak"}


def test_a_question_about_the_place_is_about_the_place() -> None:
    assert stems_asked("Where are you?") == {"where"}
    assert stems_asked("Where can I park?") == {"park"}
    assert "where" in stems_told("Where we are: Rua A")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Vocês abrem domingo?", "pt"),
        ("voces abrem no domingo", "pt"),
        ("Are you open on Sundays?", "en"),
        ("do you take cards", "en"),
        ("oi", "pt"),
        ("Hello!", "en"),
        ("Pix?", None),
        ("هل أنتم مفتوحون", None),
        ("", None),
    ],
)
def test_small_words_tell_the_language(text: str, language: str | None) -> None:
    assert language_of(text) == language


@given(st.text())
def test_any_text_has_stems_that_a_search_may_quote(text: str) -> None:
    found = stems_told(text)

    assert all(stem and stem.isalnum() for stem in found)
    assert stems(text) <= set(map(stem, words(text)))
