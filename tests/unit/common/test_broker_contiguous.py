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


def test_what_is_done_behind_a_gap_is_stuck_since_the_first_of_it() -> None:
    progress = Contiguous()
    progress.add([1, 2, 3, 4])

    progress.finish(3, 10.0)
    progress.finish(2, 20.0)
    stuck = progress.stuck_since
    progress.finish(1, 30.0)

    assert stuck == 10.0
    assert progress.stuck_since is None


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
