"""What a `MessageSender` promises: Twilio's adapter over the simulator, and the tests' double."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from common.accounts import ChannelAccount
from common.ids import new_id
from common.observability.metrics import Metrics
from notifier.message_sender import (
    Accepted,
    ListedMessage,
    MessageSender,
    OutgoingMessage,
    Refused,
    SendResult,
    Unknown,
)
from notifier.settings import NotifierSection
from notifier.twilio_sender import open_twilio
from tests.contract.notifier_world import Provider, answering
from tests.unit.simulator.world import ACCOUNT, ANA, TOKEN, WHATSAPP, open_business, open_world

BIA = "whatsapp:+5511999990002"
SLOW_DOWN = Refused(429, 20429, timedelta(seconds=1))


@dataclass
class Stage:
    """A sender, and the way to have its next create go wrong."""

    sender: MessageSender
    account: ChannelAccount
    spoil_next: Callable[[str], Awaitable[None]]

    async def create(self, text: str, to: str = ANA) -> SendResult:
        message = OutgoingMessage(
            part=new_id(), correlation=new_id(), sender=WHATSAPP, recipient=to, text=text
        )
        return await self.sender.create(self.account, message)

    async def listed(self, to: str = ANA) -> list[ListedMessage]:
        found = await self.sender.list_messages(self.account, WHATSAPP, to)
        assert isinstance(found, tuple)
        return list(found)

    async def texts(self, to: str = ANA) -> list[str]:
        return [message.text for message in await self.listed(to)]


@pytest.fixture(params=["twilio", "double"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    account = ChannelAccount(
        id=new_id(),
        tenant=new_id(),
        account_sid=ACCOUNT,
        auth_tokens=(SecretStr(TOKEN),),
        senders=(WHATSAPP,),
    )
    if request.param == "double":
        yield _double(account)
        return
    async with open_business() as business, open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.write("Oi", ANA)
        await world.write("Oi", BIA)
        settings = NotifierSection(
            status_callback_base=business.url, twilio_url=world.url, call_seconds=0.5
        )

        async def spoil_next(fault: str) -> None:
            await world.put_faults(create={fault: {"next": 1}}, hang_seconds=2)

        async with open_twilio(settings, Metrics(CollectorRegistry())) as sender:
            yield Stage(sender, account, spoil_next)


def _double(account: ChannelAccount) -> Stage:
    provider = Provider()
    plans = {
        "429": answering(SLOW_DOWN),
        "500_after_accept": provider.take_and_fall_silent,
        "timeout_after_accept": provider.take_and_fall_silent,
        "500_before_accept": provider.lose,
        "reset": provider.lose,
    }

    async def spoil_next(fault: str) -> None:
        provider.plans.append(plans[fault])

    return Stage(provider, account, spoil_next)


async def test_a_message_that_is_taken_is_listed_under_its_id(stage: Stage) -> None:
    result = await stage.create("Olá")

    assert isinstance(result, Accepted)
    (listed,) = await stage.listed()
    assert (listed.provider_message_id, listed.text) == (result.provider_message_id, "Olá")
    assert listed.created_at is not None


async def test_the_newest_comes_first_and_other_recipients_not_at_all(stage: Stage) -> None:
    for text, to in (("one", ANA), ("two", ANA), ("three", BIA)):
        await stage.create(text, to)

    assert await stage.texts(ANA) == ["two", "one"]
    assert await stage.texts(BIA) == ["three"]


@pytest.mark.parametrize("fault", ["500_after_accept", "timeout_after_accept"])
async def test_a_message_whose_answer_was_lost_is_listed(stage: Stage, fault: str) -> None:
    await stage.spoil_next(fault)

    assert isinstance(await stage.create("Olá"), Unknown)
    assert await stage.texts() == ["Olá"]


@pytest.mark.parametrize("fault", ["500_before_accept", "reset"])
async def test_a_message_that_was_lost_is_not(stage: Stage, fault: str) -> None:
    await stage.spoil_next(fault)

    assert isinstance(await stage.create("Olá"), Unknown)
    assert await stage.texts() == []


async def test_one_that_is_too_fast_is_told_when_to_come_back(stage: Stage) -> None:
    await stage.spoil_next("429")

    assert await stage.create("Olá") == SLOW_DOWN
    assert await stage.texts() == []
