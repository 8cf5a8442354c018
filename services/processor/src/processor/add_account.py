"""A tenant's Twilio account, its secrets encrypted before they reach the database."""

import re
from functools import partial

from common.accounts import CHANNEL_ACCOUNTS, ChannelAccount, SecretCipher, row_of
from common.database import Database, Transaction, insert_once

_ACCOUNT_SID = re.compile("AC[0-9a-fA-F]{32}")
_SHORTEST_TOKEN = 16  # characters; Twilio's have 32


class UnusableAccountError(ValueError):
    """The account could not be used as it stands; the message says why."""


class AddAccount:
    """Adds a channel account once."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        """Take where accounts live, and what encrypts their secrets."""
        self._database = database
        self._cipher = cipher

    async def __call__(self, account: ChannelAccount) -> bool:
        """Add it, and tell whether it was new; one with its id or account SID stays as it is.

        Raises `UnusableAccountError` for one that nobody could verify, or that anybody could.
        """
        _refuse_unusable(account)
        return await self._database.transaction(partial(self._add, account), tenant=account.tenant)

    def _add(self, account: ChannelAccount, tx: Transaction) -> bool:
        return insert_once(tx, CHANNEL_ACCOUNTS, row_of(account, self._cipher, tx.now))


def _refuse_unusable(account: ChannelAccount) -> None:
    if not _ACCOUNT_SID.fullmatch(account.account_sid):
        raise UnusableAccountError("an account SID is AC and 32 hexadecimal digits")
    tokens = [token.get_secret_value() for token in account.auth_tokens]
    if not tokens or any(len(token) < _SHORTEST_TOKEN for token in tokens):
        raise UnusableAccountError(f"an auth token has at least {_SHORTEST_TOKEN} characters")
    if not account.senders:
        raise UnusableAccountError("an account needs a sender")
