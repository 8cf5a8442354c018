"""Statements on conversations and turns. Each is of the transaction's tenant alone."""

from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update

from common.database import Transaction, insert_once
from common.events import Channel
from common.ids import Ulid, new_id
from processor.conversation.models import CONVERSATIONS, TURNS, Conversation
from processor.conversation.rules import Closing, Standing, State, Step

_OWN = CONVERSATIONS.c.tenant_id == bindparam("tenant")
_OF_CONTACT = (
    _OWN,
    CONVERSATIONS.c.contact_id == bindparam("contact"),
    CONVERSATIONS.c.sender == bindparam("sender"),
)

_LOCK = (
    select(CONVERSATIONS)
    .where(_OWN, CONVERSATIONS.c.id == bindparam("conversation"))
    .with_for_update()
)
_LOCK_OPEN = (
    select(CONVERSATIONS)
    .where(*_OF_CONTACT, CONVERSATIONS.c.state != State.CLOSED)
    .with_for_update()
)
_LATEST = (
    select(CONVERSATIONS.c.id)
    .where(*_OF_CONTACT)
    .order_by(CONVERSATIONS.c.opened_at.desc(), CONVERSATIONS.c.id.desc())
    .limit(1)
)
_ADD = insert(CONVERSATIONS)
_SAVE = update(CONVERSATIONS).where(
    _OWN,
    CONVERSATIONS.c.id == bindparam("conversation"),
    CONVERSATIONS.c.version == bindparam("read"),
)
_OPEN_TURN = (
    TURNS.c.tenant_id == bindparam("tenant"),
    TURNS.c.conversation_id == bindparam("conversation"),
    TURNS.c.ended_at.is_(None),
)
_FIND_TURN = select(TURNS.c.id).where(*_OPEN_TURN)
_END_TURN = update(TURNS).where(*_OPEN_TURN)


class StaleVersionError(Exception):
    """The conversation was written by somebody else since it was read."""


def standing(conversation: Conversation) -> Standing:
    """Return what the rules need to know of it."""
    closing = None if conversation.closing is None else Closing(conversation.closing)
    return Standing(State(conversation.state), closing, conversation.active_at)


def lock(tx: Transaction, conversation: Ulid) -> Conversation | None:
    """Return the conversation, and hold its row until the transaction ends."""
    return _one(tx, _LOCK, conversation=conversation)


def lock_open(tx: Transaction, *, contact: Ulid, sender: str) -> Conversation | None:
    """Return the open conversation of a contact with a sender, and hold its row."""
    return _one(tx, _LOCK_OPEN, contact=contact, sender=sender)


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
    tx.execute(_ADD, conversation.model_dump())
    return conversation


def save(tx: Transaction, conversation: Conversation, step: Step, *, added: int = 0) -> None:
    """Write what the rules decided, and that so many messages were `added`, which is activity.

    Raises `StaleVersionError` unless the conversation is as it was read.
    """
    named = {"tenant": tx.tenant, "conversation": conversation.id, "read": conversation.version}
    values = {
        "state": step.state,
        "closing": step.closing,
        "version": conversation.version + 1,
        "next_seq": conversation.next_seq + added,
        "active_at": tx.now if added else conversation.active_at,
        "closed_at": conversation.closed_at or (tx.now if step.state is State.CLOSED else None),
    }
    if tx.execute(_SAVE, named | values).rowcount != 1:
        raise StaleVersionError(f"conversation {conversation.id} changed since it was read")


def open_turn(tx: Transaction, conversation: Ulid) -> Ulid:
    """Return the conversation's turn that has not ended, begun now unless it was before."""
    turn = new_id()
    row = {"tenant_id": tx.tenant, "id": turn, "conversation_id": conversation}
    if insert_once(tx, TURNS, {**row, "opened_at": tx.now}):
        return turn
    return tx.execute(_FIND_TURN, _in(tx, conversation)).scalar_one()


def end_turn(tx: Transaction, conversation: Ulid) -> None:
    """End the conversation's open turn, if it has one."""
    tx.execute(_END_TURN, {**_in(tx, conversation), "ended_at": tx.now})


def _latest(tx: Transaction, contact: Ulid, sender: str) -> Ulid | None:
    named = {"tenant": tx.tenant, "contact": contact, "sender": sender}
    return tx.execute(_LATEST, named).scalar_one_or_none()


def _in(tx: Transaction, conversation: Ulid) -> dict[str, Any]:
    return {"tenant": tx.tenant, "conversation": conversation}


def _one(tx: Transaction, query: Select[Any], **named: object) -> Conversation | None:
    row = tx.execute(query, {"tenant": tx.tenant, **named}).mappings().one_or_none()
    return None if row is None else Conversation(**row)
