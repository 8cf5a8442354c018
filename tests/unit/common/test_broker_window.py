"""How much is read ahead: to a mark, and again from half of it."""

import pytest

from common.broker.engine.window import Window
from common.broker.transport import LARGEST_RECORD

SMALL = 100


def test_reading_stops_at_the_mark_and_goes_on_at_half_of_it() -> None:
    window = Window(records=10, size=1_000_000)

    rooms = [window.room(held, held * SMALL) for held in (9, 10, 6, 5, 9)]

    assert rooms == [1, 0, 0, 5, 1]


def test_reading_stops_at_the_mark_of_bytes_too() -> None:
    window = Window(records=1000, size=1000)

    rooms = [window.room(held, held * SMALL) for held in (9, 10, 6, 5)]

    assert rooms == [1, 0, 0, 5]


def test_no_more_is_read_than_fits_if_it_is_like_what_is_held() -> None:
    window = Window(records=1000, size=1000)

    assert window.room(2, 2 * SMALL) == 8


def test_at_first_records_may_be_as_large_as_they_get() -> None:
    assert Window(records=1000, size=3 * LARGEST_RECORD).room(0, 0) == 3


@pytest.mark.parametrize("held", [0, 1])
def test_one_record_may_always_come_when_nothing_is_full(held: int) -> None:
    assert Window(records=2, size=1).room(0, 0) == 1
    assert Window(records=2, size=10 * SMALL).room(held, held * 6 * SMALL) == 1


def test_a_window_of_one_record_opens_when_it_is_empty() -> None:
    window = Window(records=1, size=1000)

    assert [window.room(1, SMALL), window.room(0, 0)] == [0, 1]
