"""What an operator does from a terminal, through use cases of the service that owns the rows."""

from collections.abc import Sequence
from typing import Literal

from pydantic import SecretStr

from common.accounts import ChannelAccount, SecretCipher
from common.errors import StartError
from common.ids import Ulid, new_id
from common.settings import Environment, load
from processor.add_account import AddAccount, UnusableAccountError
from processor.add_tenant import AddTenant
from processor.assistant.choice import ModelChoice, checked_name, checked_url
from processor.seed_sample import SeedSample
from recado.development import SENDERS
from recado.filters import tenant_meant
from recado.owner_database import owner_database
from recado.settings import OperatorSettings
from recado.whereabouts import Whereabouts

WRITING_SERVICES = ("processor", "notifier")


async def migrate(settings: OperatorSettings | None = None) -> None:
    """Bring the tables of every writing service to their newest shape."""
    # imported here, so that only who migrates loads Alembic
    from common.database.migrations import upgrade  # noqa: PLC0415

    at = settings or load(OperatorSettings)
    await upgrade(at.owner_url, WRITING_SERVICES)


async def add_tenant(
    name: str, language: Literal["pt", "en"], *, model: str | None, model_url: str | None
) -> Ulid:
    """Add a tenant under a new id; raises `StartError` for a model that there cannot be."""
    tenant, choice = new_id(), _model(model, model_url)
    async with owner_database(load(OperatorSettings)) as database:
        await AddTenant(database)(tenant, name=name, language=language, model=choice)
    return tenant


async def add_account(
    tenant: str, account_sid: str, senders: Sequence[str], auth_token: str
) -> Ulid:
    """Add a Twilio account under a new id; raises `StartError` when the tenant has it already."""
    settings = load(OperatorSettings)
    account = ChannelAccount(
        id=new_id(),
        tenant=tenant_meant(tenant),
        account_sid=account_sid,
        auth_tokens=(SecretStr(auth_token),),
        senders=tuple(senders),
    )
    async with owner_database(settings) as database:
        try:
            added = await AddAccount(database, SecretCipher.of(settings.secrets))(account)
        except UnusableAccountError as error:
            raise StartError(f"The account is not added: {error}.") from error
    if not added:
        raise StartError(f"The tenant has account {account_sid} already.")
    return account.id


async def seed_sample(whereabouts: Whereabouts) -> None:
    """Add the sample business once, and tell the simulator and `recado say` where it is."""
    settings = load(OperatorSettings)
    if settings.environment is not Environment.DEVELOPMENT:
        raise StartError("The sample is for development: set RECADO_ENVIRONMENT=development.")
    async with owner_database(settings) as database:
        await SeedSample(database, SecretCipher.of(settings.secrets))(
            account_sid=whereabouts.secrets.account_sid,
            auth_token=SecretStr(whereabouts.secrets.auth_token),
            senders=SENDERS,
        )
    await whereabouts.set_up_numbers()
    whereabouts.write()


def _model(name: str | None, url: str | None) -> ModelChoice | None:
    if name is None:
        if url is not None:
            raise StartError("An address of a model needs the model: add --model.")
        return None
    # imported here, so that only who names a model loads its provider
    from processor.assistant.model_clients import provider_of  # noqa: PLC0415

    try:
        choice = ModelChoice(checked_name(name), url and checked_url(url))
    except ValueError as error:
        raise StartError(f"{error}.") from error
    provider_of(choice)
    return choice
