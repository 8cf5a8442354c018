"""How long a failing job rests, and when a process looks for jobs: no clock, no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.jobs.agenda import Agenda
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


def test_a_process_looks_at_once_when_it_starts() -> None:
    assert Agenda(10.0, now=100.0).next_look == 100.0


def test_polls_are_spread_around_their_time() -> None:
    agenda = Agenda(10.0, now=0.0)
    pauses: set[float] = set()

    for _ in range(50):
        agenda.looked(0.0, found=0, wanted=2)
        pauses.add(agenda.next_look)

    assert all(5.0 <= pause <= 15.0 for pause in pauses)
    assert len(pauses) > 40


def test_a_process_looks_when_a_job_it_knows_of_is_due() -> None:
    agenda = looked_at(0.0)

    for due_at in (3.0, 1.0, 2.0):
        agenda.expect(due_at, now=0.0)

    assert looks(agenda, 3) == [1.0, 2.0, 3.0]


def test_what_is_due_in_the_far_future_is_left_to_the_polls() -> None:
    agenda = looked_at(0.0)

    agenda.expect(3600.0, now=0.0)

    assert agenda.next_look <= 15.0


def test_a_job_that_was_expected_and_not_found_is_looked_for_once_more_soon() -> None:
    agenda = looked_at(0.0)
    agenda.expect(1.0, now=0.0)

    agenda.looked(1.0, found=0, wanted=2)
    second = agenda.next_look
    agenda.looked(second, found=0, wanted=2)

    assert 1.1 <= second <= 1.2
    assert agenda.next_look >= second + 5.0


def test_a_job_that_fell_due_during_a_claim_is_looked_for_again() -> None:
    agenda = looked_at(0.0)

    agenda.expect(1.5, now=1.0)
    agenda.looked(1.0, found=1, wanted=2)

    assert agenda.next_look == 1.5


def test_the_end_of_a_job_that_had_to_wait_makes_room_for_another_that_does() -> None:
    agenda = looked_at(0.0)

    agenda.ended(late=0.2)

    assert agenda.next_look <= 0.0


def test_the_end_of_a_job_that_was_taken_on_time_is_no_reason_to_look() -> None:
    agenda = looked_at(0.0)

    agenda.ended(late=0.0)

    assert agenda.next_look >= 5.0


def test_a_claim_that_took_all_that_it_wanted_may_have_left_more() -> None:
    agenda = looked_at(0.0)
    agenda.looked(0.0, found=2, wanted=2)

    agenda.ended(late=0.0)

    assert agenda.next_look <= 0.0


def test_of_several_jobs_those_that_were_not_found_are_looked_for_when_another_ends() -> None:
    agenda = looked_at(0.0)
    for _ in range(2):
        agenda.expect(1.0, now=0.0)
    agenda.looked(1.0, found=1, wanted=4)

    agenda.ended(late=0.0)

    assert agenda.next_look <= 1.0


def test_a_job_that_was_not_found_is_looked_for_when_another_ends() -> None:
    agenda = looked_at(0.0)
    agenda.expect(1.0, now=0.0)
    agenda.looked(1.0, found=0, wanted=2)
    agenda.looked(1.2, found=0, wanted=2)

    agenda.ended(late=0.0)

    assert agenda.next_look <= 1.2


def test_a_process_that_rests_looks_for_nothing() -> None:
    agenda = looked_at(0.0)

    agenda.expect(1.0, now=0.0)
    agenda.rest_until(4.0)

    assert agenda.next_look == 4.0


def looked_at(time: float) -> Agenda:
    agenda = Agenda(10.0, now=time)
    agenda.looked(time, found=1, wanted=2)
    return agenda


def looks(agenda: Agenda, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        times.append(agenda.next_look)
        agenda.looked(agenda.next_look, found=1, wanted=2)
    return times
