"""Statements on contacts and on what they allow. Each is of the transaction's tenant alone."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, bindparam, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from common.accounts import CONTACT_PERMISSIONS
from common.database import Transaction, insert_once
from common.events import Channel
from common.ids import new_id
from processor.identity.consent import Consent
from processor.identity.models import CONTACTS, TENANTS, Contact, Tenant

_TENANT = select(TENANTS).where(TENANTS.c.tenant_id == bindparam("tenant"))
_FIND = (
    select(CONTACTS)
    .where(
        CONTACTS.c.tenant_id == bindparam("tenant"),
        CONTACTS.c.channel == bindparam("channel"),
        CONTACTS.c.address == bindparam("address"),
    )
    .with_for_update()
)
_RENAME = update(CONTACTS).where(
    CONTACTS.c.tenant_id == bindparam("tenant"), CONTACTS.c.id == bindparam("contact")
)


def get_tenant(tx: Transaction) -> Tenant:
    """Return the tenant of the transaction; `NoResultFound` where it is not ours."""
    row = tx.execute(_TENANT, {"tenant": tx.tenant}).mappings().one()
    return Tenant(**row)


def known_contact(
    tx: Transaction, *, channel: Channel, address: str, profile_name: str | None
) -> Contact:
    """Return the contact, added where it is new, and hold its row until the transaction ends."""
    contact = _find_contact(tx, channel, address)
    if contact is None:
        values = {
            "tenant_id": tx.tenant,
            "id": new_id(),
            "channel": channel,
            "address": address,
            "profile_name": profile_name,
            "created_at": tx.now,
        }
        insert_once(tx, CONTACTS, values)
        contact = _find_contact(tx, channel, address)
    if contact is None:
        raise LookupError("a contact that was there is gone: erased meanwhile")
    if profile_name is not None and profile_name != contact.profile_name:
        _rename(tx, contact, profile_name)
    return contact


def record_inbound(
    tx: Transaction, *, sender: str, address: str, at: datetime, consent: Consent | None
) -> None:
    """Note that the contact wrote, and what it said about consent. `at` never moves backwards."""
    row = {
        "tenant_id": tx.tenant,
        "sender": sender,
        "address": address,
        "last_inbound_at": at,
        "opted_out_at": at if consent is Consent.STOP else None,
    }
    decides = consent in (Consent.STOP, Consent.START)
    tx.execute(_note_inbound(tx.dialect, decides=decides), row)


@cache
def _note_inbound(dialect: str, *, decides: bool) -> Executable:
    table = CONTACT_PERMISSIONS
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    told, known = insert.excluded, table.c
    newer = or_(known.last_inbound_at.is_(None), known.last_inbound_at < told.last_inbound_at)
    changes: dict[str, Any] = {
        "last_inbound_at": case((newer, told.last_inbound_at), else_=known.last_inbound_at)
    }
    if decides:
        changes["opted_out_at"] = told.opted_out_at
    return insert.on_conflict_do_update(
        index_elements=["tenant_id", "sender", "address"], set_=changes
    )


def _find_contact(tx: Transaction, channel: Channel, address: str) -> Contact | None:
    named = {"tenant": tx.tenant, "channel": channel, "address": address}
    row = tx.execute(_FIND, named).mappings().one_or_none()
    return None if row is None else Contact(**row)


def _rename(tx: Transaction, contact: Contact, profile_name: str) -> None:
    named = {"tenant": tx.tenant, "contact": contact.id}
    tx.execute(_RENAME, named | {"profile_name": profile_name})
