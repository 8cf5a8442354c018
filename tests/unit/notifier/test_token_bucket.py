from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifier.sends.token_bucket import TokenBucket

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RATES = st.floats(0.2, 200)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@given(rate=RATES, gaps=st.lists(st.floats(0, 3), max_size=80))
def test_no_stretch_of_time_sees_more_than_the_rate_and_one_burst(
    rate: float, gaps: list[float]
) -> None:
    bucket, now, taken = TokenBucket(rate, now=NOON), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while bucket.take(at(now)):
            taken.append(now)

    burst = max(1.0, rate * 0.2)
    for first, start in enumerate(taken):
        for count, end in enumerate(taken[first:], start=1):
            assert count <= burst + rate * (end - start) + 0.01


@given(rate=RATES, times=st.lists(st.floats(0, 5), min_size=1, max_size=40))
def test_the_next_holder_of_a_sender_goes_on_where_the_last_one_stopped(
    rate: float, times: list[float]
) -> None:
    bucket = TokenBucket(rate, now=NOON)
    spent = [at(time) for time in sorted(times) if bucket.take(at(time))]
    end = at(max(times))

    memory = TokenBucket.memory(rate)
    recent = [time for time in spent if time > end - memory]
    replayed = TokenBucket.replayed(rate, recent, now=end)

    assert replayed.wait(end) <= bucket.wait(end) + timedelta(milliseconds=1)
    assert replayed.wait(end) >= timedelta(0)


def test_a_slow_sender_waits_for_its_next_token() -> None:
    bucket = TokenBucket(1.0, now=NOON)

    assert bucket.take(NOON)
    assert not bucket.take(at(0.25))
    assert bucket.wait(at(0.25)) == timedelta(seconds=0.75)
    assert bucket.take(at(1))


def test_a_message_sent_just_now_by_another_process_counts() -> None:
    assert not TokenBucket.replayed(1.0, [at(-0.5)], now=NOON).take(NOON)
    assert TokenBucket.replayed(1.0, [at(-1)], now=NOON).take(NOON)


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    bucket = TokenBucket(1.0, now=NOON)

    assert bucket.take(NOON)
    assert not bucket.take(at(-3600))
    assert not bucket.take(at(0.5))
