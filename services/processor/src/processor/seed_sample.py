"""The bakery, seeded once into a fresh installation by the use cases that add every tenant."""

from pydantic import SecretStr

from common.accounts import CHANNEL_ACCOUNTS, ChannelAccount, SecretCipher
from common.database import Database, Transaction
from processor import sample
from processor.add_account import AddAccount
from processor.add_document import AddDocument
from processor.add_tenant import AddTenant


class SeedSample:
    """Adds the sample tenant, its documents and last its account, which says that all is there."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        """Take where the rows go; on Postgres as the administrative role."""
        self._database = database
        self._add_tenant = AddTenant(database)
        self._add_document = AddDocument(database)
        self._add_account = AddAccount(database, cipher)

    async def __call__(
        self, *, account_sid: str, auth_token: SecretStr, senders: tuple[str, ...]
    ) -> bool:
        """Seed it, and tell whether that was needed. What was changed since stays as it is."""
        if await self._database.read(_is_seeded, tenant=sample.TENANT):
            return False
        await self._add_tenant(sample.TENANT, name=sample.NAME)
        for document in sample.documents():
            await self._add_document(
                document.id,
                tenant=sample.TENANT,
                language=document.language,
                title=document.title,
                keywords=document.keywords,
                text=document.text,
            )
        account = ChannelAccount(
            id=sample.ACCOUNT,
            tenant=sample.TENANT,
            account_sid=account_sid,
            auth_tokens=(auth_token,),
            senders=senders,
        )
        return await self._add_account(account)


def _is_seeded(tx: Transaction) -> bool:
    table = CHANNEL_ACCOUNTS
    query = table.select().where(table.c.tenant_id == tx.tenant, table.c.id == sample.ACCOUNT)
    return tx.execute(query).one_or_none() is not None
