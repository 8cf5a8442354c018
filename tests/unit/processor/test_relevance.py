"""When a passage answers a question."""

from common.ids import new_id
from processor.knowledge.relevance import Candidate, best_match

TOTAL = 20


def passage(subject: str, said: str = "", *, language: str = "pt", ordinal: int = 0) -> Candidate:
    return Candidate(
        id=new_id(),
        document=new_id(),
        ordinal=ordinal,
        language=language,
        text=said,
        subject=frozenset(subject.split()),
        said=frozenset(said.split()),
    )


def best(question: str, *candidates: Candidate, language: str | None = "pt") -> Candidate | None:
    stems = frozenset(question.split())
    match = best_match(stems, candidates, total=TOTAL, language=language)
    return None if match is None else match.passage


def test_a_passage_with_all_the_words_answers() -> None:
    hours = passage("abr doming", "abr 7h")

    assert best("abr doming", hours, passage("doming")) is hours


def test_a_passage_with_too_few_of_the_words_does_not() -> None:
    assert best("jog corinthian doming", passage("abr doming")) is None


def test_no_words_ask_for_nothing() -> None:
    assert best("") is None


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    common = [passage("bol") for _ in range(9)]
    rare = passage("casament")

    assert best("bol casament", rare, *common) is rare


def test_what_a_document_is_about_goes_before_what_it_mentions() -> None:
    hours, delivery = passage("doming", "abr"), passage("entreg", "doming")

    assert best("doming", delivery, hours) is hours


def test_of_equals_the_passage_that_says_it_itself_is_quoted() -> None:
    first, second = passage("bol prec", "sabor"), passage("bol prec", "prec", ordinal=1)

    assert best("prec", first, second) is second


def test_of_equals_the_first_of_its_document_is_quoted() -> None:
    first, second = passage("bol", "bol"), passage("bol", "bol", ordinal=1)

    assert best("bol", second, first) is first


def test_the_language_of_the_question_goes_first() -> None:
    here, there = passage("pix"), passage("pix", "pix", language="en")

    assert best("pix", here, there, language="pt") is here
    assert best("pix", here, there, language="en") is there


def test_a_passage_in_another_language_is_better_than_none() -> None:
    there = passage("pix", language="en")

    assert best("pix", there, language="pt") is there
