"""Statements on contacts and on what they allow. Each is of the transaction's tenant alone."""

from datetime import datetime
from typing import Any

from sqlalchemy import case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from common.accounts import CONTACT_PERMISSIONS
from common.database import Transaction, insert_once
from common.events import Channel
from common.ids import new_id
from processor.identity.consent import Consent
from processor.identity.models import CONTACTS, TENANTS, Contact, Tenant


def get_tenant(tx: Transaction) -> Tenant:
    """Return the tenant of the transaction; `NoResultFound` where it is not ours."""
    row = tx.execute(select(TENANTS).where(TENANTS.c.tenant_id == tx.tenant)).mappings().one()
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
    table = CONTACT_PERMISSIONS
    dialect = postgresql if tx.dialect == "postgresql" else sqlite
    insert = dialect.insert(table).values(
        tenant_id=tx.tenant,
        sender=sender,
        address=address,
        last_inbound_at=at,
        opted_out_at=at if consent is Consent.STOP else None,
    )
    newer = or_(table.c.last_inbound_at.is_(None), table.c.last_inbound_at < at)
    changes: dict[str, Any] = {
        "last_inbound_at": case(
            (newer, insert.excluded.last_inbound_at), else_=table.c.last_inbound_at
        )
    }
    if consent in (Consent.STOP, Consent.START):
        changes["opted_out_at"] = insert.excluded.opted_out_at
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["tenant_id", "sender", "address"], set_=changes
        )
    )


def _find_contact(tx: Transaction, channel: Channel, address: str) -> Contact | None:
    query = select(CONTACTS).where(
        CONTACTS.c.tenant_id == tx.tenant,
        CONTACTS.c.channel == channel,
        CONTACTS.c.address == address,
    )
    row = tx.execute(query.with_for_update()).mappings().one_or_none()
    return None if row is None else Contact(**row)


def _rename(tx: Transaction, contact: Contact, profile_name: str) -> None:
    tx.execute(
        update(CONTACTS)
        .where(CONTACTS.c.tenant_id == tx.tenant, CONTACTS.c.id == contact.id)
        .values(profile_name=profile_name)
    )
