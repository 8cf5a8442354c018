"""A channel account of a test's own, and its way into the database."""

from datetime import UTC, datetime

from pydantic import SecretStr

from common.accounts import CHANNEL_ACCOUNTS, ChannelAccount, SecretCipher, row_of
from common.database import Database, Transaction, insert_once
from common.ids import Ulid, new_id


def new_channel_account(
    *, tenant: Ulid | None = None, auth_tokens: tuple[str, ...] = ("a" * 32,)
) -> ChannelAccount:
    """Make an account with ids of its own."""
    account = new_id()
    return ChannelAccount(
        id=account,
        tenant=tenant or new_id(),
        account_sid=f"AC{account.hex}",
        auth_tokens=tuple(map(SecretStr, auth_tokens)),
        senders=("whatsapp:+551150281000",),
    )


async def store_channel_account(
    database: Database, account: ChannelAccount, cipher: SecretCipher
) -> None:
    """Write the account's row as the processor does; its tables must stand."""
    row = row_of(account, cipher, datetime.now(UTC))

    def store(tx: Transaction) -> None:
        assert insert_once(tx, CHANNEL_ACCOUNTS, row)  # noqa: S101 - a test's own step

    await database.transaction(store, tenant=account.tenant)
