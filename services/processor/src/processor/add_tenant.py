"""A new business. `recado tenants add` and the sample come through here."""

from functools import partial
from typing import Literal

from common.database import Database, Transaction, insert_once
from common.ids import Ulid
from processor.identity.models import TENANTS


class AddTenant:
    """Adds a tenant once; on Postgres as the administrative role, since no serving one may."""

    def __init__(self, database: Database) -> None:
        """Take where tenants live."""
        self._database = database

    async def __call__(
        self, tenant: Ulid, *, name: str, language: Literal["pt", "en"] = "pt"
    ) -> bool:
        """Add it, and tell whether it was new; one that is there keeps its name."""
        work = partial(_add, name=name, language=language)
        return await self._database.transaction(work, tenant=tenant)


def _add(tx: Transaction, *, name: str, language: str) -> bool:
    row = {"tenant_id": tx.tenant, "name": name, "language": language, "created_at": tx.now}
    return insert_once(tx, TENANTS, row)
