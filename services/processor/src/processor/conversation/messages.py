"""Statements on messages. Each is of the transaction's tenant alone."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, insert, select, update

from common.database import Transaction
from common.ids import Ulid
from processor.conversation.models import INBOUND, MESSAGES, Message

_OWN = MESSAGES.c.tenant_id == bindparam("tenant")
_OF_CONVERSATION = (_OWN, MESSAGES.c.conversation_id == bindparam("conversation"))

_RECEIVED = select(MESSAGES.c.id).where(
    _OWN,
    MESSAGES.c.account_id == bindparam("account"),
    MESSAGES.c.provider_message_id == bindparam("provider_message_id"),
    MESSAGES.c.direction == INBOUND,
)
_ADD = insert(MESSAGES)
_UNDECIDED = (
    select(MESSAGES)
    .where(*_OF_CONVERSATION, MESSAGES.c.direction == INBOUND, MESSAGES.c.outcome.is_(None))
    .order_by(MESSAGES.c.seq)
)
_BEFORE = (
    select(MESSAGES.c.direction, MESSAGES.c.text)
    .where(*_OF_CONVERSATION, MESSAGES.c.seq < bindparam("place"))
    .order_by(MESSAGES.c.seq.desc())
    .limit(bindparam("limit"))
)
_SETTLE = update(MESSAGES).where(
    _OWN,
    MESSAGES.c.id.in_(bindparam("covered", expanding=True)),
    MESSAGES.c.outcome.is_(None),
)
_HOLD = select(MESSAGES.c.id).where(_OWN, MESSAGES.c.id == bindparam("reply")).with_for_update()
_CORRECT = update(MESSAGES).where(
    _OWN, MESSAGES.c.reply_id == bindparam("reply"), MESSAGES.c.outcome != bindparam("told")
)


def is_stored(tx: Transaction, *, account: Ulid, provider_message_id: str) -> bool:
    """Tell whether an earlier delivery stored this inbound message."""
    named = {"tenant": tx.tenant, "account": account, "provider_message_id": provider_message_id}
    return tx.execute(_RECEIVED, named).one_or_none() is not None


def add(tx: Transaction, message: Message) -> None:
    """Store a message. A second one in its place, or of its id at the provider, is refused."""
    tx.execute(_ADD, message.model_dump())


def undecided(tx: Transaction, conversation: Ulid) -> Sequence[Message]:
    """Return the inbound messages without an outcome, in order."""
    rows = tx.execute(_UNDECIDED, {"tenant": tx.tenant, "conversation": conversation}).mappings()
    return [Message(**row) for row in rows]


def before(
    tx: Transaction, conversation: Ulid, *, seq: int, limit: int
) -> Sequence[tuple[str, str]]:
    """Return direction and text of the last `limit` messages ahead of place `seq`, in order."""
    named = {"tenant": tx.tenant, "conversation": conversation, "place": seq, "limit": limit}
    rows = [(row.direction, row.text) for row in tx.execute(_BEFORE, named)]
    return rows[::-1]


def settle(
    tx: Transaction,
    covered: Collection[Ulid],
    *,
    outcome: str,
    turn: Ulid | None = None,
    reply: Ulid | None = None,
) -> int:
    """Record the outcome of those that have none yet, and return how many these were."""
    values = {"outcome": outcome, "turn_id": turn, "reply_id": reply}
    return tx.execute(_SETTLE, {"tenant": tx.tenant, "covered": covered, **values}).rowcount


def hold_reply(tx: Transaction, reply: Ulid) -> bool:
    """Hold the reply's row until the transaction ends; False where it is none of the tenant's."""
    return tx.execute(_HOLD, {"tenant": tx.tenant, "reply": reply}).one_or_none() is not None


def correct(tx: Transaction, *, reply: Ulid, outcome: str) -> None:
    """Give the messages that a reply covers the outcome that its delivery had."""
    values = {"outcome": outcome, "told": outcome}
    tx.execute(_CORRECT, {"tenant": tx.tenant, "reply": reply, **values})
