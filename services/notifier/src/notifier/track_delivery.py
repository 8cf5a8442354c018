"""The provider says what became of a message: find its part, take it over, pass on what is new."""

from functools import partial

import structlog

from common.database import Database, Transaction
from common.events import DeliveryReported, Event
from notifier.part_outcomes import PartOutcomes
from notifier.sends.part import Part
from notifier.sends.repository import find_part, find_part_by_provider_id
from notifier.sends.statuses import reported

log = structlog.get_logger()


class TrackDelivery:
    """Handles `DeliveryReported`, in any order and however often the same comes."""

    def __init__(self, database: Database, outcomes: PartOutcomes) -> None:
        """Take the notifier's database."""
        self._database = database
        self._outcomes = outcomes

    async def __call__(self, event: Event[DeliveryReported]) -> None:
        """Return once the report is durable, or known to be about no part of ours.

        A part may be named by our id only, since a callback can come before the answer to the call
        that made it; so it also tells what became of a call whose answer was lost.
        """
        take = partial(self._take, report=event.payload)
        if not await self._database.transaction(take, tenant=event.tenant):
            # Somebody else sends with this account, or the part was erased: no later try finds it.
            log.warning("delivery of an unknown message", status=event.payload.status)

    def _take(self, tx: Transaction, report: DeliveryReported) -> bool:
        part = _find(tx, report)
        if part is None:
            return False
        statuses = reported(report.status, report.reported_at)
        self._outcomes.learn(tx, part, report.provider_message_id, statuses, report.error_code)
        return True


def _find(tx: Transaction, report: DeliveryReported) -> Part | None:
    if report.part is not None:
        part = find_part(tx, report.part, lock=True)
        if part is not None and part.account == report.account:
            return part
    return find_part_by_provider_id(tx, report.account, report.provider_message_id, lock=True)
