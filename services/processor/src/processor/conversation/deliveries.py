"""Statements on the delivery of replies. Each is of the transaction's tenant alone."""

from sqlalchemy import bindparam, select

from common.database import Transaction, insert_once
from common.events import SendAccepted, SendDelivered, SendFailed, Unanswered
from common.ids import Ulid
from processor.conversation.delivery import Fact
from processor.conversation.models import REPLY_DELIVERIES

_FACTS = select(
    REPLY_DELIVERIES.c.ordinal, REPLY_DELIVERIES.c.status, REPLY_DELIVERIES.c.reason
).where(
    REPLY_DELIVERIES.c.tenant_id == bindparam("tenant"),
    REPLY_DELIVERIES.c.message_id == bindparam("reply"),
)


def add_fact(
    tx: Transaction, update: SendAccepted | SendDelivered | SendFailed, status: str
) -> bool:
    """Keep one fact of one part; False where it is known already."""
    row = {
        "tenant_id": tx.tenant,
        "message_id": update.message,
        "part_id": update.part,
        "status": status,
        "ordinal": update.ordinal,
        "parts": update.parts,
        "at": update.at,
        "reason": getattr(update, "reason", None),
        "error_code": getattr(update, "error_code", None),
        "provider_message_id": getattr(update, "provider_message_id", None),
    }
    return insert_once(tx, REPLY_DELIVERIES, row)


def facts(tx: Transaction, reply: Ulid) -> list[Fact]:
    """Return all that is known of the parts of a reply."""
    rows = tx.execute(_FACTS, {"tenant": tx.tenant, "reply": reply})
    return [Fact(row.ordinal, row.status, row.reason and Unanswered(row.reason)) for row in rows]
