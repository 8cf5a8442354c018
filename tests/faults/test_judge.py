"""The judge itself: it must see what it is there to see."""

from collections import Counter
from typing import Any

import pytest

from common.ids import Ulid, new_id
from tests.faults.judge import Verdict, judge
from tests.faults.rows import Rows

CONTACT = "whatsapp:+5511999990001"


class Ledger:
    """Messages that were accepted one after the other, each answered by a reply of one part."""

    def __init__(self, messages: int = 3) -> None:
        self.parts = [new_id() for _ in range(messages)]
        self.inbound = [inbound(number) for number in range(messages)]
        self.creates = [create(part) for part in self.parts]
        self.outcomes: dict[str, str | None] = {one["sid"]: "replied" for one in self.inbound}

    def verdict(self) -> Verdict:
        sids = [one["sid"] for one in self.inbound]
        rows = Rows(
            outcomes=self.outcomes,
            replies={sid: f"reply-{sid}" for sid in sids},
            parts={f"reply-{sid}": [part.hex] for sid, part in zip(sids, self.parts, strict=True)},
            states=Counter({"delivered": len(sids)}),
        )
        return judge({"inbound": self.inbound, "creates": self.creates}, rows)


def inbound(number: int) -> dict[str, Any]:
    attempt = {"at": float(number), "seconds": 0.1, "status_code": 200}
    return {"sid": f"SM{number}", "contact": CONTACT, "accepted": True, "attempts": [attempt]}


def create(part: Ulid) -> dict[str, Any]:
    return {"part": str(part), "message_sid": f"SM{part}"}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_clean_run_is_clean(ledger: Ledger) -> None:
    verdict = ledger.verdict()

    assert verdict == Verdict(accepted=3)
    assert not verdict.broken


def test_a_message_without_an_outcome_is_lost(ledger: Ledger) -> None:
    ledger.outcomes["SM1"] = None
    del ledger.outcomes["SM2"]

    assert ledger.verdict().lost == 2


def test_a_part_that_was_created_twice_is_duplicated(ledger: Ledger) -> None:
    ledger.creates.append(create(ledger.parts[0]))

    assert ledger.verdict().duplicated == 1


def test_a_part_of_a_reply_that_covers_nothing_is_duplicated(ledger: Ledger) -> None:
    ledger.creates.append(create(new_id()))

    assert ledger.verdict().duplicated == 1


def test_a_reply_that_was_never_sent_is_silent(ledger: Ledger) -> None:
    del ledger.creates[1]

    assert ledger.verdict().silent == 1


def test_a_later_message_answered_first_is_out_of_order(ledger: Ledger) -> None:
    ledger.creates.reverse()

    assert ledger.verdict().out_of_order == 3


def test_a_message_that_was_overtaken_on_its_way_to_us_is_in_order(ledger: Ledger) -> None:
    retried = {"at": 9.0, "seconds": 0.1, "status_code": 200}
    ledger.inbound[0]["attempts"] = [
        ledger.inbound[0]["attempts"][0] | {"status_code": 503},
        retried,
    ]
    ledger.creates.append(ledger.creates.pop(0))

    assert ledger.verdict().out_of_order == 0
