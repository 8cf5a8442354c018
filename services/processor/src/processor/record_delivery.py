"""The notifier tells what became of a part of a reply: keep it, and mend the outcome if need be."""

from functools import partial

import structlog

from common.database import Database, Transaction
from common.errors import PermanentError
from common.events import Event, SendAccepted, SendDelivered, SendFailed, Unanswered
from processor.conversation import deliveries, messages
from processor.conversation.delivery import FAILED, UNDER_REVIEW, outcome_of

log = structlog.get_logger()

SendUpdate = SendAccepted | SendDelivered | SendFailed


class RecordDelivery:
    """Handles all of `deliveries.updated`: in any order, and however often an event comes."""

    def __init__(self, database: Database) -> None:
        """Take where it writes."""
        self._database = database

    async def __call__(self, event: Event[SendUpdate]) -> None:
        """Add one fact; the messages that the reply covers get the outcome that all facts tell.

        Raises `PermanentError` for a reply that the tenant does not have.
        """
        update = event.payload
        outcome = await self._database.transaction(partial(_record, update), tenant=event.tenant)
        log.info(
            "delivery recorded",
            message_id=str(update.message),
            status=_status(update),
            outcome=outcome,
        )


def _record(update: SendUpdate, tx: Transaction) -> str:
    if not messages.hold_reply(tx, update.message):
        raise PermanentError(f"the tenant has no reply {update.message}")
    deliveries.add_fact(tx, update, _status(update))
    outcome = outcome_of(deliveries.facts(tx, update.message))
    messages.correct(tx, reply=update.message, outcome=outcome)
    return outcome


def _status(update: SendUpdate) -> str:
    match update:
        case SendAccepted():
            return "accepted"
        case SendDelivered():
            return update.status
        case SendFailed():
            return UNDER_REVIEW if update.reason is Unanswered.UNDER_REVIEW else FAILED
