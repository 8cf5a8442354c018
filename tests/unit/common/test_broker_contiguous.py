"""How far a partition is done: never past a record that is not."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from common.broker.kafka.contiguous import Contiguous


def test_the_position_stops_before_the_first_record_that_is_not_done() -> None:
    progress = Contiguous()
    for offset in (7, 8, 9):
        progress.add(offset)

    progress.finish(8)
    stuck = progress.position
    progress.finish(7)

    assert stuck is None
    assert progress.position == 9


def test_holes_in_the_offsets_do_not_hold_the_position_back() -> None:
    progress = Contiguous()
    for offset in (3, 10, 42):
        progress.add(offset)

    progress.finish(3)
    progress.finish(10)

    assert progress.position == 11
    assert len(progress) == 1


@given(st.sets(st.integers(0, 60)), st.data())
def test_any_order_of_completion_gives_what_a_naive_count_gives(
    offsets: set[int], data: st.DataObject
) -> None:
    progress, taken = Contiguous(), sorted(offsets)
    for offset in taken:
        progress.add(offset)
    order = data.draw(st.permutations(taken))
    done = order[: data.draw(st.integers(0, len(order)))]

    for offset in done:
        progress.finish(offset)

    finished_first = list(itertools.takewhile(done.__contains__, taken))
    assert progress.position == (finished_first[-1] + 1 if finished_first else None)
    assert len(progress) == len(taken) - len(finished_first)
