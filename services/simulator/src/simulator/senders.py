"""Accounts and their senders: the business's numbers, and where Twilio calls it back."""

import hmac
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A business's number on one channel, as its owner set it up with Twilio."""

    address: str
    account_sid: str
    webhook_url: str
    status_callback: str | None = None
    name: str | None = None
    service_sid: str | None = None


def put_account(
    tx: sqlite3.Connection, sid: str, auth_token: str, api_keys: Mapping[str, str]
) -> None:
    """Add an account or change its token. API keys (SID to secret) are added, never removed."""
    tx.execute(
        "INSERT INTO accounts (sid, auth_token) VALUES (?, ?)"
        " ON CONFLICT (sid) DO UPDATE SET auth_token = excluded.auth_token",
        (sid, auth_token),
    )
    tx.executemany(
        "INSERT INTO api_keys (sid, account_sid, secret) VALUES (?, ?, ?) ON CONFLICT (sid)"
        " DO UPDATE SET account_sid = excluded.account_sid, secret = excluded.secret",
        [(key, sid, secret) for key, secret in api_keys.items()],
    )


def put_sender(tx: sqlite3.Connection, sender: Sender) -> None:
    """Add a sender, or replace all that is known of this address."""
    tx.execute(
        "INSERT INTO senders"
        " (address, account_sid, webhook_url, status_callback, name, service_sid)"
        " VALUES (:address, :account_sid, :webhook_url, :status_callback, :name, :service_sid)"
        " ON CONFLICT (address) DO UPDATE SET account_sid = excluded.account_sid,"
        " webhook_url = excluded.webhook_url, status_callback = excluded.status_callback,"
        " name = excluded.name, service_sid = excluded.service_sid",
        asdict(sender),
    )


def senders(tx: sqlite3.Connection) -> list[Sender]:
    """List all senders, by address."""
    return [Sender(**dict(row)) for row in tx.execute("SELECT * FROM senders ORDER BY address")]


def find_sender(tx: sqlite3.Connection, address: str) -> Sender | None:
    """Find the sender with this address, whose ever it is."""
    row = tx.execute("SELECT * FROM senders WHERE address = ?", (address,)).fetchone()
    return row and Sender(**dict(row))


def service_senders(tx: sqlite3.Connection, account_sid: str, service_sid: str) -> list[Sender]:
    """List the pool of a messaging service."""
    rows = tx.execute(
        "SELECT * FROM senders WHERE account_sid = ? AND service_sid = ? ORDER BY address",
        (account_sid, service_sid),
    )
    return [Sender(**dict(row)) for row in rows]


def auth_token_of(tx: sqlite3.Connection, account_sid: str) -> str:
    """Give the token that signs the account's webhooks."""
    row = tx.execute("SELECT auth_token FROM accounts WHERE sid = ?", (account_sid,)).fetchone()
    return str(row["auth_token"])


def may_use_account(tx: sqlite3.Connection, account_sid: str, user: str, password: str) -> bool:
    """Tell whether these are the account's own SID and token, or one of its API keys."""
    row = tx.execute(
        "SELECT auth_token AS secret FROM accounts WHERE sid = :account AND sid = :user"
        " UNION ALL SELECT secret FROM api_keys WHERE account_sid = :account AND sid = :user",
        {"account": account_sid, "user": user},
    ).fetchone()
    return row is not None and hmac.compare_digest(row["secret"].encode(), password.encode())
