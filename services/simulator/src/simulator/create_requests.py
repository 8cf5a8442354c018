"""Requests to send a message: what was asked, what was answered, and the row that keeps both."""

import sqlite3
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from simulator.faults import CreateFault, FaultPlan
from simulator.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCall:
    """The request, unpacked. What was not given is empty."""

    account_sid: str
    user: str
    password: str
    recipient: str = ""
    sender: str = ""
    service_sid: str = ""
    body: str = ""
    media: tuple[str, ...] = ()
    content_sid: str = ""
    status_callback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAnswer:
    """The answer; no `status` means that none is given, and the line is held or cut."""

    status: int | None
    body: dict[str, object]
    plan: FaultPlan
    fault: CreateFault | None = None
    message: Message | None = None


def record_create(
    tx: sqlite3.Connection, call: CreateCall, answer: CreateAnswer, *, now: float
) -> None:
    """Keep the request, whatever became of it, and what the query of its callback URL names."""
    names = parse_qs(urlsplit(call.status_callback).query)
    error_code = answer.body.get("code")
    tx.execute(
        "INSERT INTO create_requests (at, account_sid, recipient, sender, body, status_callback,"
        " part, correlation, fault, status_code, error_code, message_sid)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now,
            call.account_sid,
            call.recipient,
            call.sender or call.service_sid,
            call.body,
            call.status_callback or None,
            names.get("part", [None])[-1],
            names.get("correlation", [None])[-1],
            answer.fault,
            answer.status,
            error_code,
            answer.message and answer.message.sid,
        ),
    )
