import pytest

from simulator.overrides import Overrides, overrides_of

URL = "https://example.org/hook?rc=4"


def test_without_a_fragment_there_is_one_retry_and_only_of_the_connection() -> None:
    assert overrides_of(URL) == Overrides(
        connect=5, read=15, total=15, retries=1, policies=frozenset({"ct"})
    )


def test_every_part_of_the_fragment_is_read() -> None:
    asked = overrides_of(f"{URL}#rc=5&rp=5xx%2Cct,rt&ct=2000&rt=4000&tt=9000&e=dublin")

    assert asked == Overrides(
        connect=2, read=4, total=9, retries=5, policies=frozenset({"5xx", "ct", "rt"})
    )


@pytest.mark.parametrize(
    "fragment", ["rc=6", "rc=-1", "rc=x", "rc=", "ct=99", "rt=15001", "tt=0", "rp=sometimes", "?"]
)
def test_what_is_out_of_range_stays_at_its_default(fragment: str) -> None:
    assert overrides_of(f"{URL}#{fragment}") == Overrides()


@pytest.mark.parametrize(
    ("policies", "status_code", "failure", "repeated"),
    [
        ("ct", None, "ct", True),
        ("ct", None, "rt", False),
        ("ct", 503, None, False),
        ("5xx", 503, None, True),
        ("5xx", 404, None, False),
        ("4xx", 404, None, True),
        ("all", 404, None, True),
        ("all", None, "rt", True),
        ("all", 200, None, False),
        ("all", 302, None, False),
    ],
)
def test_a_retry_depends_on_how_the_attempt_ended(
    policies: str, status_code: int | None, failure: str | None, *, repeated: bool
) -> None:
    asked = overrides_of(f"{URL}#rp={policies}")

    assert asked.retries_after(status_code=status_code, failure=failure) is repeated  # pyright: ignore[reportArgumentType]
