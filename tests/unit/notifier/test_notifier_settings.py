from datetime import timedelta

import pytest

from notifier.settings import NotifierSection

SETTINGS = NotifierSection(
    status_callback_base="https://recado.example.org/",
    retry_first_seconds=2,
    retry_longest_seconds=300,
)


@pytest.mark.parametrize(("waited", "delay"), [(0, 2), (1, 2), (7, 7), (299, 299), (4000, 300)])
def test_a_part_waits_again_as_long_as_it_has_waited(waited: float, delay: float) -> None:
    assert SETTINGS.retry_delay(timedelta(seconds=waited)) == timedelta(seconds=delay)


def test_an_address_has_no_slash_at_its_end() -> None:
    assert SETTINGS.status_callback_base == "https://recado.example.org"
    assert SETTINGS.twilio_url == "https://api.twilio.com"
