"""When a record is tried again, and when it is given up."""

from hypothesis import given
from hypothesis import strategies as st

from common.broker.retry import RetryPolicy
from common.settings import BrokerSettings

POLICY = RetryPolicy(attempts=5, first=0.2, longest=1.0, budget=30.0)


def test_the_back_off_doubles_up_to_its_longest() -> None:
    assert [POLICY.upper_end(attempts) for attempts in (1, 2, 3, 4, 5)] == [0.2, 0.4, 0.8, 1.0, 1.0]


@given(st.integers(1, 4))
def test_the_wait_is_anywhere_between_nothing_and_the_upper_end(attempts: int) -> None:
    delay = POLICY.delay(attempts, failing_for=0.0)

    assert delay is not None
    assert 0.0 <= delay <= POLICY.upper_end(attempts)


def test_waits_differ_so_that_keys_which_failed_together_do_not_return_together() -> None:
    assert len({POLICY.delay(3, failing_for=0.0) for _ in range(20)}) > 10


def test_a_record_is_given_up_after_its_last_attempt() -> None:
    assert POLICY.delay(5, failing_for=0.0) is None


def test_a_record_is_given_up_when_it_has_failed_for_too_long() -> None:
    assert POLICY.delay(1, failing_for=30.0) is None


def test_the_operator_chooses_the_policy() -> None:
    settings = BrokerSettings(retry_attempts=3, retry_first_seconds=1, retry_longest_seconds=7)

    policy = RetryPolicy.of(settings)

    assert (policy.attempts, policy.first, policy.longest) == (3, 1, 7)
