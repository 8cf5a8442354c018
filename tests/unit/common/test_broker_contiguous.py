"""How far a partition is done: never past a record that is not."""

from hypothesis import given
from hypothesis import strategies as st

from common.broker.contiguous import Contiguous


def test_the_position_stops_before_the_first_record_that_is_not_done() -> None:
    progress = Contiguous()
    for offset in (7, 8, 9):
        progress.add(offset)

    progress.finish(8)
    stuck = progress.position
    progress.finish(7)

    assert stuck == 7
    assert progress.position == 9


def test_holes_in_the_offsets_do_not_hold_the_position_back() -> None:
    progress = Contiguous()
    for offset in (3, 10, 42):
        progress.add(offset)

    progress.finish(3)
    progress.finish(10)

    assert progress.position == 11
    assert len(progress) == 1


def test_nothing_taken_has_no_position() -> None:
    assert Contiguous().position is None


@given(st.sets(st.integers(0, 60), min_size=1), st.randoms(use_true_random=False), st.data())
def test_any_order_of_completion_gives_what_a_naive_count_gives(
    offsets: set[int], chance: object, data: st.DataObject
) -> None:
    del chance
    progress, taken = Contiguous(), sorted(offsets)
    for offset in taken:
        progress.add(offset)
    order = data.draw(st.permutations(taken))
    done = order[: data.draw(st.integers(0, len(order)))]

    for offset in done:
        progress.finish(offset)

    unfinished = [offset for offset in taken if offset not in done]
    position = progress.position
    assert position is not None
    assert all(offset >= position for offset in unfinished)
    assert all(offset in done for offset in taken if offset < position)
    assert position == (taken[0] if taken[0] not in done else last_before_gap(taken, done) + 1)


def last_before_gap(taken: list[int], done: list[int]) -> int:
    last = taken[0]
    for offset in taken:
        if offset not in done:
            break
        last = offset
    return last
