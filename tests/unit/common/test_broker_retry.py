"""When a record is tried again, and when it is given up."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.backoff import upper_end
from common.broker.engine.retry import RetryPolicy
from common.errors import StartError
from common.settings import BrokerSettings, Settings, load

POLICY = RetryPolicy(attempts=5, first=0.2, longest=1.0, budget=30.0)


@given(st.integers(1, 9_999))
def test_the_wait_is_anywhere_between_nothing_and_an_end_that_doubles(attempts: int) -> None:
    policy = replace(POLICY, attempts=10_000)

    delay = policy.delay(attempts, failing_for=0.0)

    assert delay is not None
    assert 0.0 <= delay <= upper_end(0.2, 1.0, attempts)


def test_waits_differ_so_that_keys_which_failed_together_do_not_return_together() -> None:
    assert len({POLICY.delay(3, failing_for=0.0) for _ in range(20)}) > 10


def test_a_record_is_given_up_after_its_last_attempt() -> None:
    assert POLICY.delay(5, failing_for=0.0) is None


def test_a_record_is_given_up_when_it_has_failed_for_too_long() -> None:
    assert POLICY.delay(1, failing_for=30.0) is None


def test_no_wait_passes_the_budget_so_that_the_last_attempt_is_at_its_end() -> None:
    slow = RetryPolicy(attempts=5, first=1000.0, longest=1000.0, budget=30.0)

    waits = [slow.delay(1, failing_for=29.0) for _ in range(20)]

    assert all(wait is not None and wait <= 1.0 for wait in waits)
    assert slow.within_budget(12.0, failing_for=10.0) == 12.0
    assert slow.within_budget(3600.0, failing_for=10.0) == 20.0


def test_the_operator_chooses_the_policy() -> None:
    settings = BrokerSettings(
        retry_attempts=3,
        retry_first_seconds=1,
        retry_longest_seconds=7,
        retry_budget_seconds=90,
    )

    policy = RetryPolicy.of(settings)

    assert policy == RetryPolicy(attempts=3, first=1, longest=7, budget=90)


def test_a_topic_may_differ_and_has_the_rest_from_the_others() -> None:
    settings = settings_of('{"messages.send": {"attempts": 9, "budget_seconds": 300}}')

    policy = RetryPolicy.of(settings)

    own = RetryPolicy(attempts=9, first=0.2, longest=10.0, budget=300.0)
    assert policy.of_topic("messages.send") == own
    assert policy.of_topic("messages.received").attempts == 6


def test_a_topic_that_does_not_exist_is_refused_at_start() -> None:
    with pytest.raises(StartError, match=r"there is no topic messages\.sent"):
        RetryPolicy.of(settings_of('{"messages.sent": {"attempts": 9}}'))


def test_a_misspelt_limit_of_a_topic_is_refused_by_its_variable() -> None:
    environ = {"RECADO_BROKER_RETRY_TOPICS": '{"messages.send": {"tries": 9}}'}

    with pytest.raises(StartError, match="RECADO_BROKER_RETRY_TOPICS"):
        load(Settings, environ)


def settings_of(topics: str) -> BrokerSettings:
    return load(Settings, {"RECADO_BROKER_RETRY_TOPICS": topics}).broker
