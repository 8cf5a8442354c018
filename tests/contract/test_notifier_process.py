"""The notifier as it is put together: a command in, a message at the provider, an event out."""

from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from common.accounts import CONTACT_PERMISSIONS, ChannelAccount
from common.broker.publisher import Publisher
from common.database import Transaction, insert_once
from common.database.migrations import upgrade
from common.errors import PermanentError, StartError
from common.events import (
    DELIVERIES_UPDATED,
    Channel,
    Event,
    Record,
    SendFailed,
    SendMessage,
    Unanswered,
    decode,
)
from common.ids import new_id
from common.jobs import Job
from common.runtime import Plumbing, open_plumbing
from common.settings import load
from common.testing import eventually
from common.testing.broker import running
from common.testing.channel_accounts import new_channel_account, store_channel_account
from notifier.app import make_notifier, refuse_short_lease
from notifier.settings import NotifierSettings
from tests.contract.broken_transport import BrokenTransport
from tests.contract.notifier_world import CIPHER
from tests.unit.simulator.world import ACCOUNT, ANA, TOKEN, WHATSAPP, open_business, open_world

NOBODY = "http://127.0.0.1:9"


def settings(folder: Path, twilio_url: str = NOBODY, **more: str) -> NotifierSettings:
    variables = {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{folder}/recado.db",
        "RECADO_BROKER_URL": "memory:",
        "RECADO_NOTIFIER_TWILIO_URL": twilio_url,
        "RECADO_NOTIFIER_STATUS_CALLBACK_BASE": NOBODY,
    }
    return load(NotifierSettings, variables | more)


@asynccontextmanager
async def opened(at: NotifierSettings) -> AsyncGenerator[tuple[Plumbing, ChannelAccount]]:
    """Its plumbing, with one channel account whose contact has just written."""
    url = at.database.url.get_secret_value()
    await upgrade(url, ["processor", "notifier"])
    account = replace(new_channel_account(), account_sid=ACCOUNT, auth_tokens=(SecretStr(TOKEN),))
    wrote = {"tenant_id": account.tenant, "sender": WHATSAPP, "address": ANA}
    wrote |= {"last_inbound_at": datetime.now(UTC)}

    def permit(tx: Transaction) -> None:
        insert_once(tx, CONTACT_PERMISSIONS, wrote)

    async with open_plumbing(at) as plumbing:
        await store_channel_account(plumbing.database, account, CIPHER)
        await plumbing.database.transaction(permit, tenant=account.tenant)
        yield plumbing, account


def reply(account: ChannelAccount) -> Event[SendMessage]:
    payload = SendMessage(
        message=new_id(),
        account=account.id,
        channel=Channel.WHATSAPP,
        sender=WHATSAPP,
        recipient=ANA,
        text="Olá!",
        not_after=datetime.now(UTC) + timedelta(hours=1),
    )
    return Event[SendMessage].of(
        payload, source="test", tenant=account.tenant, correlation=new_id()
    )


@asynccontextmanager
async def working(at: NotifierSettings, plumbing: Plumbing) -> AsyncGenerator[None]:
    async with make_notifier(at, plumbing, CIPHER) as components, AsyncExitStack() as stack:
        for component in components:
            await stack.enter_async_context(running(component))
        yield


async def nothing_lost(_shards: Collection[str]) -> None:
    pass


async def update_of(plumbing: Plumbing, command: Event[SendMessage]) -> Event[Any]:
    """Hand over the command, and return the first that is told of it."""
    await Publisher(plumbing.transport, plumbing.metrics).publish(command)
    topics = [DELIVERIES_UPDATED]
    async with plumbing.transport.subscribe("processor", topics, nothing_lost) as updates:
        (delivery,) = await eventually(lambda: updates.fetch(1), within=20)
    return decode(delivery.record)


async def test_a_command_becomes_a_message_and_an_event_of_the_same_correlation(
    tmp_path: Path,
) -> None:
    async with open_business() as business, open_world(tmp_path, business) as twilio:
        await twilio.put_sender()
        await twilio.write("Oi")
        at = settings(tmp_path, twilio.url)
        async with opened(at) as (plumbing, account), working(at, plumbing):
            command = reply(account)
            update = await update_of(plumbing, command)
        (create,) = (await twilio.ledger())["creates"]

    assert (update.correlation, update.tenant) == (command.correlation, account.tenant)
    assert update.payload.message == command.payload.message
    assert create["correlation"] == str(command.correlation)
    assert create["part"] == str(update.payload.part)


async def test_a_command_that_cannot_be_kept_becomes_an_event_that_says_why(
    tmp_path: Path,
) -> None:
    at = settings(tmp_path, RECADO_BROKER_RETRY_ATTEMPTS="1")
    broken = "create trigger broken before insert on send_parts begin select raise(abort, ''); end"
    async with opened(at) as (plumbing, account), working(at, plumbing):
        await plumbing.database.transaction(lambda tx: tx.execute(text(broken)))
        command = reply(account)
        update = await update_of(plumbing, command)

    assert isinstance(update.payload, SendFailed)
    assert update.payload.message == command.payload.message
    assert update.payload.reason is Unanswered.DEAD_LETTERED


class Failing:
    """Stands where a job's handler is made."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def __call__(self, _job: Job) -> None:
        raise PermanentError("a mistake")


async def test_what_failed_jobs_leave_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.app.DeliverSends", Failing)
    at = settings(tmp_path)
    async with opened(at) as (plumbing, account), working(at, plumbing):
        update = await update_of(plumbing, reply(account))

    assert isinstance(update.payload, SendFailed)
    assert update.payload.reason is Unanswered.DEAD_LETTERED


async def test_publishing_that_fails_is_tried_for_as_long_as_it_takes(tmp_path: Path) -> None:
    impatient = {"RECADO_JOBS_RETRY_ATTEMPTS": "1", "RECADO_JOBS_RETRY_FIRST_SECONDS": "0.01"}
    mistakes = [RuntimeError("a mistake of the client")] * 5

    def fault(record: Record) -> Exception | None:
        return mistakes.pop() if mistakes and record.topic == DELIVERIES_UPDATED.name else None

    at = settings(tmp_path, **impatient)
    async with opened(at) as (plumbing, account):
        broken = replace(plumbing, transport=BrokenTransport(fault))
        async with working(at, broken):
            update = await update_of(broken, reply(replace(account, id=new_id())))

    assert isinstance(update.payload, SendFailed)
    assert mistakes == []


def test_a_call_that_would_outlast_its_lease_stops_the_start(tmp_path: Path) -> None:
    at = settings(tmp_path, RECADO_JOBS_LEASE_SECONDS="11", RECADO_NOTIFIER_CALL_SECONDS="10")

    with pytest.raises(StartError, match="RECADO_JOBS_LEASE_SECONDS to more than 11"):
        refuse_short_lease(at)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "Set RECADO_NOTIFIER_STATUS_CALLBACK_BASE"),
        ("recado.example.org", "Mend RECADO_NOTIFIER_STATUS_CALLBACK_BASE"),
        ("https://re_cado.example.org", "no host with an underscore"),
        ("https://recado.example.org/?a=b", "Mend RECADO_NOTIFIER_STATUS_CALLBACK_BASE"),
    ],
)
def test_an_address_that_twilio_cannot_call_stops_the_start(
    tmp_path: Path, address: str, sentence: str
) -> None:
    with pytest.raises(StartError, match=sentence):
        settings(tmp_path, RECADO_NOTIFIER_STATUS_CALLBACK_BASE=address)
