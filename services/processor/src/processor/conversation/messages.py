"""Statements on messages. Each is of the transaction's tenant alone."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, insert, select, update

from common.database import Transaction
from common.ids import Ulid
from processor.conversation.models import INBOUND, MESSAGES, Message


def is_stored(tx: Transaction, *, account: Ulid, provider_message_id: str) -> bool:
    """Tell whether an earlier delivery stored this inbound message."""
    query = select(MESSAGES.c.id).where(
        MESSAGES.c.tenant_id == tx.tenant,
        MESSAGES.c.account_id == account,
        MESSAGES.c.provider_message_id == provider_message_id,
        MESSAGES.c.direction == INBOUND,
    )
    return tx.execute(query).one_or_none() is not None


def add(tx: Transaction, message: Message) -> None:
    """Store a message. A second one in its place, or of its id at the provider, is refused."""
    tx.execute(insert(MESSAGES).values(message.model_dump()))


def undecided(tx: Transaction, conversation: Ulid) -> Sequence[Message]:
    """Return the inbound messages without an outcome, in order."""
    query = (
        _of(tx, conversation)
        .where(MESSAGES.c.direction == INBOUND, MESSAGES.c.outcome.is_(None))
        .order_by(MESSAGES.c.seq)
    )
    return _all(tx, query)


def before(tx: Transaction, conversation: Ulid, *, seq: int, limit: int) -> Sequence[Message]:
    """Return the last `limit` messages of either side ahead of place `seq`, in order."""
    query = (
        _of(tx, conversation)
        .where(MESSAGES.c.seq < seq)
        .order_by(MESSAGES.c.seq.desc())
        .limit(limit)
    )
    return _all(tx, query)[::-1]


def settle(
    tx: Transaction,
    covered: Collection[Ulid],
    *,
    outcome: str,
    turn: Ulid | None = None,
    reply: Ulid | None = None,
) -> int:
    """Record the outcome of those that have none yet, and return how many these were."""
    settled = tx.execute(
        update(MESSAGES)
        .where(
            MESSAGES.c.tenant_id == tx.tenant,
            MESSAGES.c.id.in_(covered),
            MESSAGES.c.outcome.is_(None),
        )
        .values(outcome=outcome, turn_id=turn, reply_id=reply)
    )
    return settled.rowcount


def hold_reply(tx: Transaction, reply: Ulid) -> bool:
    """Hold the reply's row until the transaction ends; False where it is none of the tenant's."""
    query = select(MESSAGES.c.id).where(MESSAGES.c.tenant_id == tx.tenant, MESSAGES.c.id == reply)
    return tx.execute(query.with_for_update()).one_or_none() is not None


def correct(tx: Transaction, *, reply: Ulid, outcome: str) -> None:
    """Give the messages that a reply covers the outcome that its delivery had."""
    tx.execute(
        update(MESSAGES)
        .where(
            MESSAGES.c.tenant_id == tx.tenant,
            MESSAGES.c.reply_id == reply,
            MESSAGES.c.outcome != outcome,
        )
        .values(outcome=outcome)
    )


def _of(tx: Transaction, conversation: Ulid) -> Select[Any]:
    return select(MESSAGES).where(
        MESSAGES.c.tenant_id == tx.tenant, MESSAGES.c.conversation_id == conversation
    )


def _all(tx: Transaction, query: Select[Any]) -> list[Message]:
    return [Message(**row) for row in tx.execute(query).mappings()]
