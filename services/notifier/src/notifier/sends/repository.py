"""The statements on sends and their parts. All see the transaction's tenant only."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from common.database import Transaction, insert_once
from common.ids import Ulid, new_id
from notifier.sends.models import SEND_PARTS as _PARTS
from notifier.sends.models import SENDS as _SENDS
from notifier.sends.part import Part
from notifier.sends.statuses import MAYBE_SENT, OPEN, PartState

_COLUMNS: Final = [
    (
        _SENDS
        if name in ("parts", "channel", "not_after", "accepted_at", "correlation_id")
        else _PARTS
    ).c[name]
    for name in Part.__slots__
]

_OWN = _PARTS.c.tenant_id == bindparam("tenant")
_OF_SENDER = (_OWN, _PARTS.c.sender == bindparam("sender"))
_TO_RECIPIENT = (*_OF_SENDER, _PARTS.c.recipient == bindparam("recipient"))

# literal, because a planner takes a partial index only for what it can read in the statement
_IS_OPEN = _PARTS.c.state.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))
# later parts wait for one that is waiting or claimed, and for a while for an uncertain one
_HOLDS_UP = and_(
    _IS_OPEN, or_(_PARTS.c.state != PartState.UNCERTAIN, _PARTS.c.not_before > bindparam("now"))
)
_MAY_START = or_(_PARTS.c.state != PartState.CLAIMED, _PARTS.c.claim_token != bindparam("holder"))

_IS_STORED = select(
    exists().where(_SENDS.c.tenant_id == bindparam("tenant"), _SENDS.c.id == bindparam("send"))
)
_LAST_PLACE = select(func.max(_PARTS.c.place)).where(*_TO_RECIPIENT)
_ADD = insert(_PARTS)
_CHANGE = update(_PARTS).where(_OWN, _PARTS.c.id == bindparam("part"))

_SELECT = (
    select(*_COLUMNS)
    .join_from(
        _PARTS,
        _SENDS,
        and_(_SENDS.c.tenant_id == _PARTS.c.tenant_id, _SENDS.c.id == _PARTS.c.send_id),
    )
    .where(_OWN)
)
_FIND = _SELECT.where(_PARTS.c.id == bindparam("part"))
_FIND_BY_PROVIDER_ID = _SELECT.where(
    _PARTS.c.account == bindparam("account"),
    _PARTS.c.provider_message_id == bindparam("provider_message_id"),
)

# One pass over the index of what is open: asking of each part whether an earlier one stands before
# it is a plan that goes wrong by itself when a backlog grows faster than statistics.
_LINES = (
    select(_PARTS.c.id, _PARTS.c.not_before, _MAY_START.label("may_start"))
    .add_columns(
        func.row_number()
        .over(partition_by=_PARTS.c.recipient, order_by=_PARTS.c.place)
        .label("turn")
    )
    .where(*_OF_SENDER, _HOLDS_UP)
    .subquery()
)
_FIRST = (
    select(_LINES.c.id)
    .where(_LINES.c.turn == 1, _LINES.c.may_start)
    .order_by(_LINES.c.not_before, _LINES.c.id)
    .limit(bindparam("limit"))
)
_HEADS = (
    _SELECT.where(_PARTS.c.id.in_(bindparam("ids", expanding=True)), _HOLDS_UP, _MAY_START)
    .order_by(_PARTS.c.not_before, _PARTS.c.id)
    .with_for_update(of=_PARTS)
)
_LATER = select(
    exists().where(
        *_TO_RECIPIENT,
        _PARTS.c.place > bindparam("after"),
        or_(_PARTS.c.provider_message_id.is_not(None), _PARTS.c.state.in_(MAYBE_SENT)),
    )
)
_TEXTS_MAYBE_SENT = select(_PARTS.c.text).where(
    *_TO_RECIPIENT, _PARTS.c.id != bindparam("part"), _PARTS.c.state.in_(MAYBE_SENT)
)
_CLAIMS = select(_PARTS.c.claimed_at).where(*_OF_SENDER, _PARTS.c.claimed_at > bindparam("since"))
_HELD_BACK = select(func.max(_PARTS.c.not_before)).where(
    *_OF_SENDER,
    _IS_OPEN,
    _PARTS.c.state == PartState.WAITING,
    _PARTS.c.error_code.in_(bindparam("codes", expanding=True)),
)
_BOUND = select(_PARTS.c.provider_message_id).where(
    _OWN,
    _PARTS.c.account == bindparam("account"),
    _PARTS.c.provider_message_id.in_(bindparam("provider_message_id", expanding=True)),
)


def store_send(
    tx: Transaction, send: dict[str, Any], address: dict[str, Any], texts: Sequence[str]
) -> bool:
    """Store a send and its parts, last in the line to its recipient, unless it is there.

    Two at a time would take the same places: schedule the `sender` job in `tx` before, its row lock
    makes them wait for each other. `address`: account, sender and recipient.
    """
    send = {**send, "tenant_id": tx.tenant, "accepted_at": tx.now, "parts": len(texts)}
    if not insert_once(tx, _SENDS, send):
        return False
    fresh = {"state": PartState.WAITING, "not_before": tx.now, "looks": 0, "resends": 0}
    fresh |= {"tenant_id": tx.tenant, "send_id": send["id"], "statuses": {}, "conflict": False}
    place = _next_place(tx, address["sender"], address["recipient"])
    rows = [
        {**fresh, **address, "id": new_id(), "ordinal": at, "place": place + at, "text": text}
        for at, text in enumerate(texts)
    ]
    tx.execute(_ADD, rows)
    return True


def is_stored(tx: Transaction, send: Ulid) -> bool:
    """Tell whether a send and its parts are there."""
    return bool(tx.execute(_IS_STORED, {"tenant": tx.tenant, "send": send}).scalar())


def heads(tx: Transaction, sender: str, *, token: int, limit: int) -> list[Part]:
    """Return and lock the first open part of each recipient, but those claimed under `token`.

    In the order of their time to be tried, so that what is due comes first.
    """
    now = {"tenant": tx.tenant, "now": tx.now, "holder": token}
    ids = list(tx.execute(_FIRST, {**now, "sender": sender, "limit": limit}).scalars())
    return _parts(tx, _HEADS, {**now, "ids": ids}) if ids else []


def find_part(tx: Transaction, part: Ulid, *, lock: bool = False) -> Part | None:
    """Find a part by our id; `lock` keeps others from changing it until the commit."""
    return _one(tx, _FIND, {"part": part}, lock=lock)


def find_part_by_provider_id(
    tx: Transaction, account: Ulid, provider_message_id: str, *, lock: bool = False
) -> Part | None:
    """Find a part by the provider's id of it."""
    named = {"account": account, "provider_message_id": provider_message_id}
    return _one(tx, _FIND_BY_PROVIDER_ID, named, lock=lock)


def change(tx: Transaction, part: Part, **values: object) -> None:
    """Write `values` to a part that `tx` has locked."""
    tx.execute(_CHANGE, {"tenant": tx.tenant, "part": part.id, **values})


def is_overtaken(tx: Transaction, part: Part) -> bool:
    """Tell whether a later part to the same recipient was, or may have been, handed over."""
    return bool(tx.execute(_LATER, {**_line(tx, part), "after": part.place}).scalar())


def texts_maybe_sent(tx: Transaction, part: Part) -> list[str]:
    """Return the texts of the other parts to the same recipient that the provider may have."""
    return list(tx.execute(_TEXTS_MAYBE_SENT, {**_line(tx, part), "part": part.id}).scalars())


def claims_since(tx: Transaction, sender: str, since: datetime) -> list[datetime]:
    """Return when parts of this sender were claimed."""
    named = {"tenant": tx.tenant, "sender": sender, "since": since}
    return list(tx.execute(_CLAIMS, named).scalars())


def held_back_until(tx: Transaction, sender: str, codes: Collection[int]) -> datetime | None:
    """Return until when parts wait that the provider refused with one of `codes`."""
    named = {"tenant": tx.tenant, "sender": sender, "codes": codes}
    return tx.execute(_HELD_BACK, named).scalar()


def bound_ids(tx: Transaction, account: Ulid, provider_ids: Collection[str]) -> set[str]:
    """Return those of the provider's ids that parts of ours are known by."""
    named = {"tenant": tx.tenant, "account": account, "provider_message_id": provider_ids}
    return set(tx.execute(_BOUND, named).scalars())


def _next_place(tx: Transaction, sender: str, recipient: str) -> int:
    line = {"tenant": tx.tenant, "sender": sender, "recipient": recipient}
    found = tx.execute(_LAST_PLACE, line).scalar()
    return 0 if found is None else found + 1


def _line(tx: Transaction, part: Part) -> dict[str, Any]:
    return {"tenant": tx.tenant, "sender": part.sender, "recipient": part.recipient}


def _one(tx: Transaction, query: Select[Any], named: dict[str, Any], *, lock: bool) -> Part | None:
    found = _parts(tx, _locking(query) if lock else query, {"tenant": tx.tenant, **named})
    return found[0] if found else None


@cache
def _locking(query: Select[Any]) -> Select[Any]:
    return query.with_for_update(of=_PARTS)


def _parts(tx: Transaction, query: Select[Any], named: dict[str, Any]) -> list[Part]:
    return [_part_of(row) for row in tx.execute(query, named).mappings()]


def _part_of(row: RowMapping) -> Part:
    values: dict[str, Any] = dict(row)
    values["state"] = PartState(values["state"])
    return Part(**values)
