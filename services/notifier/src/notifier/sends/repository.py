"""The statements on sends and their parts. All see the transaction's tenant only."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
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
    tx.execute(insert(_PARTS), rows)
    return True


def is_stored(tx: Transaction, send: Ulid) -> bool:
    """Tell whether a send and its parts are there."""
    there = exists().where(_SENDS.c.tenant_id == tx.tenant, _SENDS.c.id == send)
    return bool(tx.execute(select(there)).scalar())


def heads(tx: Transaction, sender: str, *, token: int, limit: int) -> list[Part]:
    """Return and lock the first open part of each recipient, but those claimed under `token`.

    In the order of their time to be tried, so that what is due comes first.
    """
    # One pass over the index of what is open: asking of each part whether an earlier one stands
    # before it is a plan that goes wrong by itself when a backlog grows faster than statistics.
    turn = func.row_number().over(partition_by=_PARTS.c.recipient, order_by=_PARTS.c.place)
    lines = (
        select(_PARTS.c.id, _PARTS.c.not_before, _may_start(token).label("may_start"))
        .add_columns(turn.label("turn"))
        .where(
            _PARTS.c.tenant_id == tx.tenant, _PARTS.c.sender == sender, _holds_up(_PARTS, tx.now)
        )
        .subquery()
    )
    first = (
        select(lines.c.id)
        .where(lines.c.turn == 1, lines.c.may_start)
        .order_by(lines.c.not_before, lines.c.id)
        .limit(limit)
    )
    ids = list(tx.execute(first).scalars())
    still_open = (_PARTS.c.id.in_(ids), _holds_up(_PARTS, tx.now), _may_start(token))
    in_order = _select(tx).where(*still_open).order_by(_PARTS.c.not_before, _PARTS.c.id)
    return _parts(tx, in_order.with_for_update(of=_PARTS)) if ids else []


def find_part(tx: Transaction, part: Ulid, *, lock: bool = False) -> Part | None:
    """Find a part by our id; `lock` keeps others from changing it until the commit."""
    return _one(tx, _select(tx).where(_PARTS.c.id == part), lock=lock)


def find_part_by_provider_id(
    tx: Transaction, account: Ulid, provider_message_id: str, *, lock: bool = False
) -> Part | None:
    """Find a part by the provider's id of it."""
    named = and_(_PARTS.c.account == account, _PARTS.c.provider_message_id == provider_message_id)
    return _one(tx, _select(tx).where(named), lock=lock)


def change(tx: Transaction, part: Part, **values: object) -> None:
    """Write `values` to a part that `tx` has locked."""
    tx.execute(
        update(_PARTS).where(_PARTS.c.tenant_id == tx.tenant, _PARTS.c.id == part.id).values(values)
    )


def is_overtaken(tx: Transaction, part: Part) -> bool:
    """Tell whether a later part to the same recipient was, or may have been, handed over."""
    later = exists().where(
        _PARTS.c.tenant_id == tx.tenant,
        _PARTS.c.sender == part.sender,
        _PARTS.c.recipient == part.recipient,
        _PARTS.c.place > part.place,
        or_(_PARTS.c.provider_message_id.is_not(None), _PARTS.c.state.in_(MAYBE_SENT)),
    )
    return bool(tx.execute(select(later)).scalar())


def texts_maybe_sent(tx: Transaction, part: Part) -> list[str]:
    """Return the texts of the other parts to the same recipient that the provider may have."""
    return list(
        tx.execute(
            select(_PARTS.c.text).where(
                _PARTS.c.tenant_id == tx.tenant,
                _PARTS.c.sender == part.sender,
                _PARTS.c.recipient == part.recipient,
                _PARTS.c.id != part.id,
                _PARTS.c.state.in_(MAYBE_SENT),
            )
        ).scalars()
    )


def claims_since(tx: Transaction, sender: str, since: datetime) -> list[datetime]:
    """Return when parts of this sender were claimed."""
    claimed_at = _PARTS.c.claimed_at
    return list(
        tx.execute(
            select(claimed_at).where(
                _PARTS.c.tenant_id == tx.tenant, _PARTS.c.sender == sender, claimed_at > since
            )
        ).scalars()
    )


def held_back_until(tx: Transaction, sender: str, codes: Collection[int]) -> datetime | None:
    """Return until when parts wait that the provider refused with one of `codes`."""
    return tx.execute(
        select(func.max(_PARTS.c.not_before)).where(
            _PARTS.c.tenant_id == tx.tenant,
            _PARTS.c.sender == sender,
            _is_open(_PARTS),
            _PARTS.c.state == PartState.WAITING,
            _PARTS.c.error_code.in_(codes),
        )
    ).scalar()


def bound_ids(tx: Transaction, account: Ulid, provider_ids: Collection[str]) -> set[str]:
    """Return those of the provider's ids that parts of ours are known by."""
    return set(
        tx.execute(
            select(_PARTS.c.provider_message_id).where(
                _PARTS.c.tenant_id == tx.tenant,
                _PARTS.c.account == account,
                _PARTS.c.provider_message_id.in_(provider_ids),
            )
        ).scalars()
    )


def _may_start(token: int) -> ColumnElement[bool]:
    return or_(_PARTS.c.state != PartState.CLAIMED, _PARTS.c.claim_token != token)


def _holds_up(parts: FromClause, now: datetime) -> ColumnElement[bool]:
    """Later parts wait for one that is waiting or claimed, and for a while for an uncertain one."""
    return and_(
        _is_open(parts), or_(parts.c.state != PartState.UNCERTAIN, parts.c.not_before > now)
    )


def _is_open(parts: FromClause) -> ColumnElement[bool]:
    # literal, because a planner takes a partial index only for what it can read in the statement
    return parts.c.state.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))


def _next_place(tx: Transaction, sender: str, recipient: str) -> int:
    line = (_PARTS.c.tenant_id == tx.tenant, _PARTS.c.sender == sender)
    last = select(func.max(_PARTS.c.place)).where(*line, _PARTS.c.recipient == recipient)
    found = tx.execute(last).scalar()
    return 0 if found is None else found + 1


def _select(tx: Transaction) -> Select[Any]:
    same_send = and_(_SENDS.c.tenant_id == _PARTS.c.tenant_id, _SENDS.c.id == _PARTS.c.send_id)
    return (
        select(*_COLUMNS)
        .select_from(_PARTS.join(_SENDS, same_send))
        .where(_PARTS.c.tenant_id == tx.tenant)
    )


def _one(tx: Transaction, statement: Select[Any], *, lock: bool) -> Part | None:
    found = _parts(tx, statement.with_for_update(of=_PARTS) if lock else statement)
    return found[0] if found else None


def _parts(tx: Transaction, statement: Select[Any]) -> list[Part]:
    return [_part_of(row) for row in tx.execute(statement).mappings()]


def _part_of(row: RowMapping) -> Part:
    values: dict[str, Any] = dict(row)
    values["state"] = PartState(values["state"])
    return Part(**values)
