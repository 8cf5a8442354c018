"""Whether there is such a business: what an operator typed may name none."""

from sqlalchemy import select

from common.database import Database
from common.ids import Ulid
from processor.identity.models import TENANTS


class FindTenant:
    """Looks a tenant up."""

    def __init__(self, database: Database) -> None:
        """Take where tenants live."""
        self._database = database

    async def __call__(self, tenant: Ulid) -> bool:
        """Tell whether it is there."""
        query = select(TENANTS.c.tenant_id).where(TENANTS.c.tenant_id == tenant)
        return await self._database.read(
            lambda tx: tx.execute(query).first() is not None, tenant=tenant
        )
