"""How long a failing job rests, and how often it is tried: no clock, no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.jobs.policy import RetryPolicy, reason_of
from common.settings import JobSettings

POLICY = RetryPolicy(attempts=3, first=1.0, longest=300.0)
CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_the_policy_is_the_settings() -> None:
    settings = JobSettings(retry_attempts=2, retry_first_seconds=0.5, retry_longest_seconds=9)

    assert RetryPolicy.of(settings) == RetryPolicy(2, 0.5, 9.0)


def test_the_last_attempt_spends_the_policy() -> None:
    assert [POLICY.is_spent(attempts) for attempts in (1, 2, 3)] == [False, False, True]


def test_a_claim_after_the_last_attempt_is_not_run() -> None:
    assert [POLICY.is_overspent(attempts) for attempts in (3, 4)] == [False, True]


def test_a_policy_without_end_is_never_spent() -> None:
    endless = POLICY.without_end()

    assert not endless.is_spent(10_000)
    assert not endless.is_overspent(10_000)
    assert endless.rest(10_000, 0.5) == POLICY.rest(10_000, 0.5)


@pytest.mark.parametrize(("attempts", "end"), [(1, 1.0), (2, 2.0), (4, 8.0), (10, 300.0)])
def test_the_end_of_a_rest_doubles_up_to_the_longest(attempts: int, end: float) -> None:
    assert POLICY.rest(attempts, 0.5).total_seconds() == end / 2


@given(st.integers(min_value=1, max_value=10_000), CHANCES)
def test_a_rest_is_anywhere_below_its_end(attempts: int, chance: float) -> None:
    assert 0 <= POLICY.rest(attempts, chance).total_seconds() <= POLICY.longest


@pytest.mark.parametrize(("lasted", "end"), [(0.0, 1.0), (4.0, 4.0), (600.0, 15.0)])
def test_a_rest_grows_with_the_outage_and_not_with_the_jobs(lasted: float, end: float) -> None:
    assert POLICY.rest_while_away(lasted, 0.0).total_seconds() == end / 2


def test_a_reason_is_the_class_and_one_short_line() -> None:
    error = ValueError("wrong state\n[parameters: ('a customer wrote this',)]")

    assert reason_of(error) == "ValueError: wrong state"
    assert len(reason_of(ValueError("x" * 1000))) == 200


@pytest.mark.parametrize("text", ["", "\0", "\udc80"])
def test_a_reason_can_always_be_stored(text: str) -> None:
    reason = reason_of(ValueError(text))

    assert reason.startswith("ValueError")
    assert "\0" not in reason.encode().decode()
