"""Two reads that several services share, written by the processor alone.

The channel accounts (a tenant's Twilio account, its secrets encrypted), which gateway and notifier
read; and the contact permissions, which the notifier reads in the transaction that claims a send.
"""

from common.accounts.channel_account import ChannelAccount, account_of, row_of
from common.accounts.cipher import Place, SecretCipher
from common.accounts.models import (
    CHANNEL_ACCOUNTS,
    CONTACT_PERMISSIONS,
    ChannelAccountRow,
    ContactPermission,
)
from common.accounts.permissions import Permission, find_permission
from common.accounts.registry import AccountRegistry
from common.accounts.schema import create_accounts

__all__ = [
    "CHANNEL_ACCOUNTS",
    "CONTACT_PERMISSIONS",
    "AccountRegistry",
    "ChannelAccount",
    "ChannelAccountRow",
    "ContactPermission",
    "Permission",
    "Place",
    "SecretCipher",
    "account_of",
    "create_accounts",
    "find_permission",
    "row_of",
]
