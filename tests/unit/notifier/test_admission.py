from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.accounts import Permission
from common.events import Unanswered
from common.ids import new_id
from notifier.sends.admission import refusal
from notifier.sends.part import Part
from notifier.sends.statuses import PartState

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PART = Part(
    tenant_id=new_id(),
    id=new_id(),
    send_id=new_id(),
    ordinal=0,
    parts=1,
    account=new_id(),
    channel="whatsapp",
    sender="whatsapp:+551140028922",
    recipient="whatsapp:+5511999990000",
    place=0,
    text="Olá",
    state=PartState.WAITING,
    not_before=NOON,
    not_after=NOON + HOUR,
    accepted_at=NOON,
    claim_token=None,
    claimed_at=None,
    provider_message_id=None,
    statuses={},
    looks=0,
    resends=0,
    error_code=None,
    correlation_id=new_id(),
)
SMS = replace(PART, channel="sms")
WROTE_JUST_NOW = Permission(opted_out_at=None, last_inbound_at=NOON)
OPTED_OUT = Permission(opted_out_at=NOON, last_inbound_at=NOON)
WROTE_YESTERDAY = Permission(opted_out_at=None, last_inbound_at=NOON - 24 * HOUR)


@pytest.mark.parametrize(
    ("part", "permission", "after", "reason"),
    [
        (PART, WROTE_JUST_NOW, HOUR, None),
        (PART, WROTE_JUST_NOW, HOUR * 2, Unanswered.AGE),
        (PART, OPTED_OUT, 0 * HOUR, Unanswered.OPTED_OUT),
        (SMS, OPTED_OUT, 2 * HOUR, Unanswered.OPTED_OUT),
        (PART, WROTE_YESTERDAY, 0 * HOUR, Unanswered.WINDOW),
        (PART, None, 0 * HOUR, Unanswered.WINDOW),
        (SMS, WROTE_YESTERDAY, 0 * HOUR, None),
        (SMS, None, 0 * HOUR, None),
    ],
)
def test_a_part_goes_only_where_and_while_it_may(
    part: Part, permission: Permission | None, after: timedelta, reason: Unanswered | None
) -> None:
    assert refusal(part, permission, overtaken=False, now=NOON + after) == reason


def test_a_part_is_never_sent_behind_a_later_one() -> None:
    found = refusal(PART, WROTE_JUST_NOW, overtaken=True, now=NOON)

    assert found is Unanswered.UNDER_REVIEW
