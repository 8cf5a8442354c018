"""A new business. `recado tenants add` and the sample come through here."""

from functools import partial
from typing import Literal

from common.database import Database, Transaction, insert_once
from common.ids import Ulid
from processor.assistant.choice import ModelChoice
from processor.identity.models import TENANTS


class AddTenant:
    """Adds a tenant once; on Postgres as the administrative role, since no serving one may."""

    def __init__(self, database: Database) -> None:
        """Take where tenants live."""
        self._database = database

    async def __call__(
        self,
        tenant: Ulid,
        *,
        name: str,
        language: Literal["pt", "en"] = "pt",
        model: ModelChoice | None = None,
    ) -> bool:
        """Add it, and tell whether it was new; one that is there keeps its name and its model.

        Without a `model` the deployment's default answers for it.
        """
        work = partial(_add, name=name, language=language, model=model)
        return await self._database.transaction(work, tenant=tenant)


def _add(tx: Transaction, *, name: str, language: str, model: ModelChoice | None) -> bool:
    row = {
        "tenant_id": tx.tenant,
        "name": name,
        "language": language,
        "created_at": tx.now,
        "model": model and model.name,
        "model_url": model and model.url,
    }
    return insert_once(tx, TENANTS, row)
