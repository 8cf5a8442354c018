import pytest

from common.events import Unanswered
from notifier.sends.error_catalogue import CATALOGUE, RATE_CODES, Meaning, Retry, meaning


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        (21610, 400, Meaning(Retry.NEVER, Unanswered.OPTED_OUT)),
        (63016, None, Meaning(Retry.NEVER, Unanswered.WINDOW)),
        (21211, 400, Meaning(Retry.NEVER)),
        (20003, 401, Meaning(Retry.CONFIG)),
        (30001, None, Meaning(Retry.LATER)),
        (None, 429, Meaning(Retry.RATE)),
        (99999, 429, Meaning(Retry.RATE)),
        (None, 403, Meaning(Retry.CONFIG)),
        (99999, 400, Meaning(Retry.NEVER)),
        (None, None, Meaning(Retry.NEVER)),
    ],
)
def test_each_refusal_has_one_meaning(
    code: int | None, http_status: int | None, expected: Meaning
) -> None:
    assert meaning(code, http_status) == expected


def test_every_code_that_slows_a_sender_is_known_as_one() -> None:
    assert {code for code, what in CATALOGUE.items() if what.retry is Retry.RATE} == set(RATE_CODES)
