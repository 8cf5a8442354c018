from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.sends.statuses import PartState, Standing, Statuses, merge, reported, standing

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATUSES = st.sampled_from(
    ["accepted", "queued", "sending", "sent", "delivered", "read", "failed", "undelivered", "new"]
)


def statuses(*names: str) -> Statuses:
    return reduce(merge, (reported(name, NOON) for name in names))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("queued",), Standing(PartState.ACCEPTED, "accepted", conflict=False)),
        (("something new",), Standing(PartState.ACCEPTED, "accepted", conflict=False)),
        (("accepted", "sending", "sent"), Standing(PartState.SENT, "sent", conflict=False)),
        (("read", "delivered", "sent"), Standing(PartState.READ, "read", conflict=False)),
        (("sent", "undelivered"), Standing(PartState.FAILED, "undelivered", conflict=False)),
        (("canceled",), Standing(PartState.FAILED, "canceled", conflict=False)),
        (("delivered", "failed"), Standing(PartState.DELIVERED, "delivered", conflict=True)),
        (("failed", "read"), Standing(PartState.READ, "read", conflict=True)),
    ],
)
def test_a_part_is_where_its_highest_status_says(
    names: tuple[str, ...], expected: Standing
) -> None:
    for order in permutations(names):
        assert standing(statuses(*order)) == expected


@given(st.lists(st.tuples(STATUSES, st.integers(0, 1000)), min_size=1), st.randoms())
def test_the_order_of_reports_does_not_matter(
    reports: list[tuple[str, int]], random: Random
) -> None:
    maps = [reported(name, NOON + timedelta(seconds=after)) for name, after in reports]
    shuffled = random.sample(maps, len(maps))

    assert reduce(merge, maps) == reduce(merge, shuffled)
    assert standing(reduce(merge, maps)) == standing(reduce(merge, shuffled))


@given(st.lists(STATUSES, min_size=1))
def test_the_same_report_again_changes_nothing(names: list[str]) -> None:
    once = statuses(*names)

    assert merge(once, once) == once


def test_the_first_time_of_a_status_is_kept() -> None:
    late = reported("sent", NOON + timedelta(hours=1))

    assert merge(late, reported("sent", NOON)) == reported("sent", NOON)
