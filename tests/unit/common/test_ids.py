"""Ids: sortable, monotonic, validated, derivable."""

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ids import Generator, Ulid, derived_id, new_id, parse_id


def test_ids_of_one_process_only_grow() -> None:
    ids = [new_id() for _ in range(5_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert [str(one) for one in ids] == sorted(str(one) for one in ids)


def test_ids_grow_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Generator()
    before = source.generate()
    an_hour_ago = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: an_hour_ago)

    after = source.generate()

    assert after > before


@given(st.binary(min_size=16, max_size=16))
def test_an_id_survives_text_and_the_database(raw: bytes) -> None:
    one = Ulid.from_bytes(raw)

    assert parse_id(str(one)) == one
    assert parse_id(str(one).lower()) == one
    assert Ulid.from_uuid(UUID(bytes=raw)) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "01ARZ3NDEKTSV4RRFFQ69G5FA",
        "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU",
    ],
)
def test_what_is_no_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)ulid|length|character|byte|overflow"):
        parse_id(text)


def test_a_natural_key_gives_the_same_id_each_time() -> None:
    assert derived_id("messages", "SM1") == derived_id("messages", "SM1")
    assert derived_id("messages", "SM1") != derived_id("messages", "SM2")


def test_the_borders_inside_a_natural_key_count() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")
