"""A tenant's Twilio account, and its row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import SecretStr

from common.accounts.cipher import Place, SecretCipher
from common.ids import Ulid


@dataclass(frozen=True, slots=True)
class ChannelAccount:
    """A channel account with its secrets readable; lives in memory only."""

    id: Ulid
    tenant: Ulid
    account_sid: str
    auth_tokens: tuple[SecretStr, ...]
    """Current first. Twilio signs webhooks with one of them, whatever the API is called with."""
    senders: tuple[str, ...]
    """Our numbers and services, as Twilio writes them in `To`: `+1…`, `whatsapp:+1…`."""
    api_key: str | None = None
    api_secret: SecretStr | None = None


def row_of(account: ChannelAccount, cipher: SecretCipher, created_at: datetime) -> dict[str, Any]:
    """Return the values of the account's row, its secrets encrypted; for `insert_once`."""
    tokens = orjson.dumps([token.get_secret_value() for token in account.auth_tokens]).decode()
    secret = account.api_secret
    return {
        "id": account.id,
        "tenant_id": account.tenant,
        "account_sid": account.account_sid,
        "auth_tokens": cipher.encrypt(_place(account.tenant, account.id, "auth_tokens"), tokens),
        "api_key": account.api_key,
        "api_secret": secret
        and cipher.encrypt(
            _place(account.tenant, account.id, "api_secret"), secret.get_secret_value()
        ),
        "key_id": cipher.key_id,
        "senders": list(account.senders),
        "created_at": created_at,
    }


def account_of(row: Mapping[Any, Any], cipher: SecretCipher) -> ChannelAccount:
    """Read a row of `channel_accounts`. Raises `PermanentError` where a secret does not open."""

    def opened(column: str) -> str:
        place = _place(row["tenant_id"], row["id"], column)
        return cipher.decrypt(place, row["key_id"], row[column])

    return ChannelAccount(
        id=row["id"],
        tenant=row["tenant_id"],
        account_sid=row["account_sid"],
        auth_tokens=tuple(SecretStr(token) for token in orjson.loads(opened("auth_tokens"))),
        senders=tuple(row["senders"]),
        api_key=row["api_key"],
        api_secret=None if row["api_secret"] is None else SecretStr(opened("api_secret")),
    )


def _place(tenant: Ulid, row: Ulid, column: str) -> Place:
    return Place(tenant, row, f"channel_accounts.{column}")
