"""How far a partition is done: never past a record that is not."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from common.broker.kafka.contiguous import Contiguous

NOW = 0.0


def test_the_position_stops_before_the_first_record_that_is_not_done() -> None:
    progress = Contiguous()
    progress.add([7, 8, 9])

    progress.finish(8, NOW)
    stuck = progress.position
    progress.finish(7, NOW)

    assert stuck is None
    assert progress.position == 9


def test_holes_in_the_offsets_do_not_hold_the_position_back() -> None:
    progress = Contiguous()
    progress.add([3, 10, 42])

    progress.finish(3, NOW)
    progress.finish(10, NOW)

    assert progress.position == 11
    assert len(progress) == 1


def test_what_is_done_is_unsettled_until_a_commit_covers_it() -> None:
    progress = Contiguous()
    progress.add([1, 2, 3, 4])

    progress.finish(3, 10.0)
    progress.finish(1, 20.0)
    first = progress.unsettled_since
    progress.settle(2, 25.0)
    behind_a_gap = progress.unsettled_since
    progress.finish(2, 30.0)
    without_a_gap = progress.unsettled_since
    progress.settle(4, 35.0)

    assert (first, behind_a_gap, without_a_gap) == (10.0, 10.0, 10.0)
    assert progress.unsettled_since is None


def test_what_is_done_while_a_commit_is_made_is_unsettled_since_then() -> None:
    progress = Contiguous()
    progress.add([1, 2])

    progress.finish(1, 10.0)
    progress.finish(2, 20.0)
    progress.settle(2, 15.0)

    assert progress.unsettled_since == 15.0


@given(st.sets(st.integers(0, 60)), st.data())
def test_any_order_of_completion_gives_what_a_naive_count_gives(
    offsets: set[int], data: st.DataObject
) -> None:
    progress, taken = Contiguous(), sorted(offsets)
    progress.add(taken)
    order = data.draw(st.permutations(taken))
    done = order[: data.draw(st.integers(0, len(order)))]

    for offset in done:
        progress.finish(offset, NOW)

    finished_first = list(itertools.takewhile(done.__contains__, taken))
    assert progress.position == (finished_first[-1] + 1 if finished_first else None)
    assert len(progress) == len(taken) - len(finished_first)
