"""Statements on conversations and turns. Each is of the transaction's tenant alone."""

from typing import Any

from sqlalchemy import Select, insert, select, update

from common.database import Transaction, insert_once
from common.events import Channel
from common.ids import Ulid, new_id
from processor.conversation.models import CONVERSATIONS, TURNS, Conversation
from processor.conversation.rules import Closing, Standing, State, Step


class StaleVersionError(Exception):
    """The conversation was written by somebody else since it was read."""


def standing(conversation: Conversation) -> Standing:
    """Return what the rules need to know of it."""
    closing = None if conversation.closing is None else Closing(conversation.closing)
    return Standing(State(conversation.state), closing, conversation.active_at)


def lock(tx: Transaction, conversation: Ulid) -> Conversation | None:
    """Return the conversation, and hold its row until the transaction ends."""
    return _one(tx, _of_tenant(tx).where(CONVERSATIONS.c.id == conversation))


def lock_open(tx: Transaction, *, contact: Ulid, sender: str) -> Conversation | None:
    """Return the open conversation of a contact with a sender, and hold its row."""
    query = _of_tenant(tx).where(
        CONVERSATIONS.c.contact_id == contact,
        CONVERSATIONS.c.sender == sender,
        CONVERSATIONS.c.state != State.CLOSED,
    )
    return _one(tx, query)


def add(
    tx: Transaction,
    *,
    tenant: Ulid,
    contact: Ulid,
    account: Ulid,
    channel: Channel,
    sender: str,
    recipient: str,
) -> Conversation:
    """Open a conversation, linked to the one before it. The caller holds the contact's row."""
    conversation = Conversation(
        tenant_id=tenant,
        id=new_id(),
        contact_id=contact,
        account_id=account,
        channel=channel,
        sender=sender,
        recipient=recipient,
        state=State.PENDING,
        previous_id=_latest(tx, contact, sender),
        opened_at=tx.now,
        active_at=tx.now,
    )
    tx.execute(insert(CONVERSATIONS).values(conversation.model_dump()))
    return conversation


def save(tx: Transaction, conversation: Conversation, step: Step, *, added: int = 0) -> None:
    """Write what the rules decided, and that so many messages were `added`, which is activity.

    Raises `StaleVersionError` unless the conversation is as it was read.
    """
    saved = tx.execute(
        update(CONVERSATIONS)
        .where(
            CONVERSATIONS.c.tenant_id == tx.tenant,
            CONVERSATIONS.c.id == conversation.id,
            CONVERSATIONS.c.version == conversation.version,
        )
        .values(
            state=step.state,
            closing=step.closing,
            version=conversation.version + 1,
            next_seq=conversation.next_seq + added,
            active_at=tx.now if added else conversation.active_at,
            closed_at=conversation.closed_at or (tx.now if step.state is State.CLOSED else None),
        )
    )
    if saved.rowcount != 1:
        raise StaleVersionError(f"conversation {conversation.id} changed since it was read")


def open_turn(tx: Transaction, conversation: Ulid) -> Ulid:
    """Return the conversation's turn that has not ended, begun now unless it was before."""
    row = {"tenant_id": tx.tenant, "id": new_id(), "conversation_id": conversation}
    insert_once(tx, TURNS, {**row, "opened_at": tx.now})
    query = select(TURNS.c.id).where(
        TURNS.c.tenant_id == tx.tenant,
        TURNS.c.conversation_id == conversation,
        TURNS.c.ended_at.is_(None),
    )
    return tx.execute(query).scalar_one()


def end_turn(tx: Transaction, conversation: Ulid) -> None:
    """End the conversation's open turn, if it has one."""
    tx.execute(
        update(TURNS)
        .where(
            TURNS.c.tenant_id == tx.tenant,
            TURNS.c.conversation_id == conversation,
            TURNS.c.ended_at.is_(None),
        )
        .values(ended_at=tx.now)
    )


def _latest(tx: Transaction, contact: Ulid, sender: str) -> Ulid | None:
    query = (
        select(CONVERSATIONS.c.id)
        .where(
            CONVERSATIONS.c.tenant_id == tx.tenant,
            CONVERSATIONS.c.contact_id == contact,
            CONVERSATIONS.c.sender == sender,
        )
        .order_by(CONVERSATIONS.c.opened_at.desc(), CONVERSATIONS.c.id.desc())
        .limit(1)
    )
    return tx.execute(query).scalar_one_or_none()


def _of_tenant(tx: Transaction) -> Select[Any]:
    return select(CONVERSATIONS).where(CONVERSATIONS.c.tenant_id == tx.tenant)


def _one(tx: Transaction, query: Select[Any]) -> Conversation | None:
    row = tx.execute(query.with_for_update()).mappings().one_or_none()
    return None if row is None else Conversation(**row)
