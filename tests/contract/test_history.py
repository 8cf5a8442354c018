"""The judge of several consumers: it must see what it is there to see."""

from pathlib import Path

import pytest

from tests.contract.history import (
    BEGAN,
    ENDED,
    History,
    Line,
    finished,
    held,
    most_at_once,
    needless,
    overlapped,
)

ANA, BIA = "+551", "+552"


def handled(process: str, contact: str, number: int) -> list[Line]:
    return [Line(what, process, (contact, number)) for what in (BEGAN, ENDED)]


def one_shard(_contact: str) -> object:
    return 0


def test_what_was_appended_is_read_in_its_order(tmp_path: Path) -> None:
    history, lines = History(tmp_path / "history"), handled("first", ANA, 0)
    assert history.lines() == []

    for line in lines:
        history.append(line)

    assert history.lines() == lines
    assert history.tells_of((ANA, 0))
    assert not history.tells_of((ANA, 1))


def test_a_message_counts_where_it_was_finished_first() -> None:
    lines = handled("first", ANA, 1) + handled("first", ANA, 0) + handled("second", ANA, 1)

    assert finished(lines) == [(ANA, 1), (ANA, 0)]


def test_a_process_holds_what_it_began_and_has_not_ended() -> None:
    began, ended = handled("first", ANA, 0)

    assert held([began], "first") == {(ANA, 0)}
    assert held([began, ended, began], "first") == {(ANA, 0)}
    assert held([began, ended], "first") == set()
    assert held([began], "second") == set()


def test_two_messages_of_a_contact_at_once_overlap_and_those_of_two_contacts_do_not() -> None:
    began, ended = handled("first", ANA, 0)

    assert overlapped([began, *handled("second", ANA, 1), ended]) == {ANA}
    assert overlapped([began, *handled("second", BIA, 0), ended]) == set()
    assert most_at_once([began, *handled("second", BIA, 0), ended]) == 2


def test_a_process_that_was_stopped_may_go_on_with_what_was_begun_again_and_nothing_else() -> None:
    began, ended = handled("stopped", ANA, 0)
    begun_again, ended_again = handled("second", ANA, 0)
    late = [began, begun_again, ended, *handled("stopped", ANA, 1), ended_again]

    assert overlapped([began, begun_again, ended, ended_again], apart_from="stopped") == set()
    assert overlapped(late, apart_from="stopped") == {ANA}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (handled("first", ANA, 0) * 2 + handled("first", BIA, 0), [(ANA, 0)]),
        (handled("first", BIA, 0) + handled("first", ANA, 0) + handled("second", BIA, 0), []),
    ],
    ids=["nothing was before it", "one before it was not finished"],
)
def test_what_comes_again_is_needless_unless_one_before_it_was_unfinished(
    lines: list[Line], found: list[tuple[str, int]]
) -> None:
    assert needless(lines, [(ANA, 0), (BIA, 0)], one_shard) == found
    assert needless(lines, [(ANA, 0), (BIA, 0)], one_shard, apart_from="first") == []
