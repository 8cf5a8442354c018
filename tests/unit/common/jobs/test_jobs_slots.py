"""How many jobs of which kinds may be taken together."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.jobs.slots import Slots

KINDS = ("turn", "publish", "timer", "resume")
RUNNING = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 8)).map(Counter[str])
ASKED = st.lists(st.sampled_from(KINDS), unique=True, min_size=1)


def test_a_kind_leaves_each_other_one_a_slot() -> None:
    assert Slots(16, KINDS).free(Counter(), ["turn"]) == 13
    assert Slots(16, KINDS).free(Counter(turn=5, timer=1), ["turn"]) == 8


def test_with_fewer_slots_than_kinds_none_is_kept() -> None:
    assert Slots(3, KINDS).free(Counter(turn=2), ["turn"]) == 1


def test_kinds_that_are_asked_for_together_share_what_is_free() -> None:
    assert Slots(16, KINDS).shares(Counter(), KINDS) == dict.fromkeys(KINDS, 4)
    assert Slots(16, KINDS).shares(Counter(), ["turn", "timer"]) == {"turn": 7, "timer": 7}


@pytest.mark.parametrize("first", ["turn", "publish"])
def test_where_there_is_not_enough_the_first_comes_first(first: str) -> None:
    second = {"turn": "publish", "publish": "turn"}[first]

    shares = Slots(5, KINDS).shares(Counter(turn=1, publish=1), [first, second, "timer", "resume"])

    assert shares == {"timer": 1, "resume": 1, first: 1}


def test_with_fewer_slots_than_kinds_who_waits_longest_comes_first_though_it_runs() -> None:
    assert Slots(3, KINDS).shares(Counter(turn=2), KINDS) == {"turn": 1}


@given(st.integers(1, 20), RUNNING, ASKED)
def test_shares_are_no_more_than_what_is_free_and_leave_out_no_idle_kind(
    count: int, running: Counter[str], asked: list[str]
) -> None:
    slots = Slots(count, KINDS)
    ready = [kind for kind in asked if slots.free(running, [kind]) > 0]

    shares = slots.shares(running, ready)

    assert sum(shares.values()) <= max(0, slots.free(running, ready))
    assert all(share > 0 for share in shares.values())
    if ready:
        assert count >= len(KINDS) or ready[0] in shares
    if count >= len(KINDS):
        assert all(kind in shares for kind in ready if not running[kind])
