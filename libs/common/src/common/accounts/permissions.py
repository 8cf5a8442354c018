"""May this sender write to this contact? Read in the transaction that claims a send."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from common.accounts.models import CONTACT_PERMISSIONS as _TABLE
from common.database import Transaction

_FIND = select(_TABLE.c.opted_out_at, _TABLE.c.last_inbound_at).where(
    _TABLE.c.tenant_id == bindparam("tenant"),
    _TABLE.c.sender == bindparam("sender"),
    _TABLE.c.address == bindparam("address"),
)


@dataclass(frozen=True, slots=True)
class Permission:
    """What is known of one contact at one sender."""

    opted_out_at: datetime | None
    last_inbound_at: datetime | None


def find_permission(tx: Transaction, sender: str, address: str) -> Permission | None:
    """Return what the contact allows `sender`; None where it never wrote to it."""
    named = {"tenant": tx.tenant, "sender": sender, "address": address}
    row = tx.execute(_FIND, named).one_or_none()
    return None if row is None else Permission(*row)
