"""What became of a reply, from facts in any order."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from common.events import Unanswered
from processor.conversation.delivery import FAILED, UNDER_REVIEW, Fact, outcome_of


def failed(ordinal: int = 0, reason: Unanswered = Unanswered.REFUSED) -> Fact:
    return Fact(ordinal, FAILED, reason)


def under_review(ordinal: int = 0) -> Fact:
    return Fact(ordinal, UNDER_REVIEW, Unanswered.UNDER_REVIEW)


facts = st.lists(
    st.one_of(
        st.builds(Fact, st.integers(0, 2), st.sampled_from(("accepted", "sent", "delivered"))),
        st.builds(failed, st.integers(0, 2), st.just(Unanswered.REFUSED)),
        st.builds(under_review, st.integers(0, 2)),
    )
)


@given(facts, st.randoms(use_true_random=False))
def test_order_is_no_matter(known: list[Fact], random: Random) -> None:
    shuffled = list(known)
    random.shuffle(shuffled)

    assert outcome_of(shuffled) == outcome_of(known)


@given(facts)
def test_a_fact_that_is_told_twice_says_nothing_more(known: list[Fact]) -> None:
    assert outcome_of([*known, *known]) == outcome_of(known)


def test_what_is_not_known_to_have_failed_was_replied() -> None:
    assert outcome_of([]) == "replied"
    assert outcome_of([Fact(0, "accepted"), Fact(0, "sent")]) == "replied"


def test_a_part_that_failed_decides() -> None:
    assert outcome_of([Fact(0, "delivered"), failed(1)]) == "refused by the provider"


def test_of_several_the_first_part_that_failed_decides() -> None:
    known = [failed(2, Unanswered.WINDOW), failed(1, Unanswered.OPTED_OUT), Fact(0, "read")]

    assert outcome_of(known) == "opted out"


def test_a_part_that_was_accepted_and_failed_then_has_failed() -> None:
    assert outcome_of([failed(), Fact(0, "accepted")]) == "refused by the provider"


def test_a_part_that_arrived_did_not_fail() -> None:
    assert outcome_of([failed(), Fact(0, "delivered")]) == "replied"


def test_a_review_lasts_until_other_news() -> None:
    assert outcome_of([under_review()]) == "send under review"
    assert outcome_of([under_review(), Fact(0, "accepted")]) == "replied"
    assert outcome_of([under_review(), failed()]) == "refused by the provider"
