"""A tenant's Twilio account, its secrets encrypted before they reach the database."""

from functools import partial

from common.accounts import CHANNEL_ACCOUNTS, ChannelAccount, SecretCipher, row_of
from common.database import Database, Transaction, insert_once


class AddAccount:
    """Adds a channel account once."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        """Take where accounts live, and what encrypts their secrets."""
        self._database = database
        self._cipher = cipher

    async def __call__(self, account: ChannelAccount) -> bool:
        """Add it, and tell whether it was new; one with its id or account SID stays as it is."""
        return await self._database.transaction(partial(self._add, account), tenant=account.tenant)

    def _add(self, account: ChannelAccount, tx: Transaction) -> bool:
        return insert_once(tx, CHANNEL_ACCOUNTS, row_of(account, self._cipher, tx.now))
