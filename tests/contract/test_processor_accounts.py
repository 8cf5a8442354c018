"""Adding a channel account: once, and only one that can be used."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.accounts import AccountRegistry, ChannelAccount, SecretCipher
from common.ids import new_id
from processor.add_account import AddAccount, UnusableAccountError
from tests.contract.processor_world import BOTH, World, open_world

CIPHER = SecretCipher({"k1": bytes(range(32))})


@pytest.fixture(params=BOTH)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(request, tmp_path) as world:
        yield world


def account(world: World) -> ChannelAccount:
    return ChannelAccount(
        id=new_id(),
        tenant=world.tenant,
        account_sid="AC" + "0f" * 16,
        auth_tokens=(SecretStr("5d41402abc4b2a76b9719d911017c592"),),
        senders=("whatsapp:+551140028922",),
    )


async def test_an_account_is_added_once_and_can_be_read(world: World) -> None:
    add, wanted = AddAccount(world.owner, CIPHER), account(world)

    first = await add(wanted)
    again = await add(replace(wanted, id=new_id()))

    assert (first, again) == (True, False)
    assert await AccountRegistry(world.database, CIPHER).find(wanted.id) == wanted


@pytest.mark.parametrize(
    "fault",
    [
        {"account_sid": "SM" + "0f" * 16},
        {"account_sid": "AC0"},
        {"auth_tokens": ()},
        {"auth_tokens": (SecretStr(""),)},
        {"auth_tokens": (SecretStr("5d41402abc4b2a76b9719d911017c592"), SecretStr("short"))},
        {"senders": ()},
    ],
)
async def test_an_account_that_anybody_could_sign_for_is_refused(
    world: World, fault: dict[str, object]
) -> None:
    with pytest.raises(UnusableAccountError):
        await AddAccount(world.owner, CIPHER)(replace(account(world), **fault))  # pyright: ignore[reportArgumentType]
