"""The whole ledger as the judge of a test: who was told what, what was asked for, how often."""

import sqlite3

from pydantic import BaseModel, Field


class AttemptShown(BaseModel):
    """One request to a webhook."""

    at: float
    seconds: float
    status_code: int | None
    failure: str | None


class InboundShown(BaseModel):
    """A customer's message. With a duplicated webhook the attempts of both stand here."""

    sid: str
    sender: str
    contact: str
    text: str
    at: float
    finished: bool
    accepted: bool = Field(description="Whether any attempt was answered below 400.")
    status_code: int | None = Field(description="Of the last attempt; null without an answer.")
    attempts: list[AttemptShown]


class CreateShown(BaseModel):
    """A request to send. `message_sid` says that Twilio accepted it, whatever was answered."""

    at: float
    sender: str
    recipient: str
    text: str
    part: str | None = Field(description="From the query of the StatusCallback URL.")
    correlation: str | None
    fault: str | None
    status_code: int | None
    error_code: int | None
    message_sid: str | None
    message_status: str | None


class CallbackShown(BaseModel):
    """A status callback; `fault` says whether it was duplicated, moved or dropped on demand."""

    message_sid: str
    status: str
    error_code: int | None
    fault: str | None
    finished: bool
    status_code: int | None
    attempts: list[AttemptShown]


class Judgement(BaseModel):
    """Everything, oldest first. `pending` is 0 when nothing more will happen by itself."""

    inbound: list[InboundShown]
    creates: list[CreateShown]
    callbacks: list[CallbackShown]
    pending: int


def judgement(tx: sqlite3.Connection) -> Judgement:
    """Read the whole ledger; attempts that are under way are not in it yet."""
    attempts = _attempts(tx)
    return Judgement(
        inbound=_inbound(tx, attempts),
        creates=_creates(tx),
        callbacks=_callbacks(tx, attempts),
        pending=tx.execute(
            "SELECT count(*) AS pending FROM deliveries WHERE finished_at IS NULL"
        ).fetchone()["pending"],
    )


def _attempts(tx: sqlite3.Connection) -> dict[int, list[AttemptShown]]:
    attempts: dict[int, list[AttemptShown]] = {}
    for row in tx.execute("SELECT * FROM attempts ORDER BY id"):
        attempts.setdefault(row["delivery_id"], []).append(
            AttemptShown(
                at=row["at"],
                seconds=row["seconds"],
                status_code=row["status_code"],
                failure=row["failure"],
            )
        )
    return attempts


def _inbound(tx: sqlite3.Connection, attempts: dict[int, list[AttemptShown]]) -> list[InboundShown]:
    rows = tx.execute(
        "SELECT messages.*, group_concat(deliveries.id) AS delivery_ids,"
        " min(finished_at IS NOT NULL) AS finished FROM messages"
        " JOIN deliveries ON message_sid = sid WHERE direction = 'inbound'"
        " GROUP BY seq ORDER BY seq"
    )
    return [_inbound_shown(row, attempts) for row in rows]


def _inbound_shown(row: sqlite3.Row, attempts: dict[int, list[AttemptShown]]) -> InboundShown:
    ids = sorted(map(int, row["delivery_ids"].split(",")))
    made = [attempt for each in ids for attempt in attempts.get(each, [])]
    codes = [attempt.status_code for attempt in made]
    return InboundShown(
        sid=row["sid"],
        sender=row["sender"],
        contact=row["contact"],
        text=row["body"],
        at=row["created_at"],
        finished=bool(row["finished"]),
        accepted=any(code is not None and code < 400 for code in codes),  # noqa: PLR2004
        status_code=codes[-1] if codes else None,
        attempts=made,
    )


def _creates(tx: sqlite3.Connection) -> list[CreateShown]:
    rows = tx.execute(
        "SELECT create_requests.*, messages.status AS message_status FROM create_requests"
        " LEFT JOIN messages ON messages.sid = message_sid ORDER BY id"
    )
    return [
        CreateShown.model_validate(dict(row) | {"text": row["body"]}, extra="ignore")
        for row in rows
    ]


def _callbacks(
    tx: sqlite3.Connection, attempts: dict[int, list[AttemptShown]]
) -> list[CallbackShown]:
    rows = tx.execute(
        "SELECT * FROM deliveries WHERE kind = 'status' AND url IS NOT NULL ORDER BY id"
    )
    return [
        CallbackShown(
            message_sid=row["message_sid"],
            status=row["status"],
            error_code=row["error_code"],
            fault=row["fault"],
            finished=row["finished_at"] is not None,
            status_code=row["status_code"],
            attempts=attempts.get(row["id"], []),
        )
        for row in rows
    ]
