import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, text, update

from common.accounts import (
    CHANNEL_ACCOUNTS,
    AccountRegistry,
    ChannelAccount,
    SecretCipher,
    create_accounts,
)
from common.database import Transaction, open_database
from common.errors import DependencyDown, PermanentError
from common.ids import new_id
from common.testing import eventually
from common.testing.channel_accounts import new_channel_account, store_channel_account
from common.testing.switched_database import SwitchedDatabase

CIPHER = SecretCipher({"k1": os.urandom(32)})


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SwitchedDatabase]:
    url = f"sqlite:///{tmp_path}/recado.db"
    async with open_database(url, pool_size=1, busy_seconds=5) as opened:
        await opened.transaction(create_tables)
        yield SwitchedDatabase(opened)


def create_tables(tx: Transaction) -> None:
    for statement in create_accounts("sqlite"):
        tx.execute(text(statement))


@pytest.fixture
async def account(database: SwitchedDatabase) -> ChannelAccount:
    account = new_channel_account()
    await store_channel_account(database, account, CIPHER)
    return account


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(database: SwitchedDatabase, clock: Clock) -> AccountRegistry:
    return AccountRegistry(database, CIPHER, ttl=60, patience=1, clock=clock)


async def replace_tokens(
    database: SwitchedDatabase, account: ChannelAccount, *tokens: str
) -> ChannelAccount:
    rotated = replace(account, auth_tokens=tuple(map(SecretStr, tokens)))
    await remove(database, account)
    await store_channel_account(database, rotated, CIPHER)
    return rotated


async def remove(database: SwitchedDatabase, account: ChannelAccount) -> None:
    await database.transaction(
        lambda tx: tx.execute(
            delete(CHANNEL_ACCOUNTS).where(
                CHANNEL_ACCOUNTS.c.tenant_id == account.tenant,
                CHANNEL_ACCOUNTS.c.id == account.id,
            )
        ),
        tenant=account.tenant,
    )


async def test_an_account_comes_back_as_it_was_stored(
    registry: AccountRegistry, database: SwitchedDatabase
) -> None:
    account = replace(
        new_channel_account(auth_tokens=("current", "secondary")),
        api_key="SK1",
        api_secret=SecretStr("api secret"),
    )
    await store_channel_account(database, account, CIPHER)

    assert await registry.find(account.id) == account


def test_no_secret_is_readable_in_the_file(account: ChannelAccount, tmp_path: Path) -> None:
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert account.account_sid.encode() in files
    assert account.auth_tokens[0].get_secret_value().encode() not in files
    assert account.auth_tokens[0].get_secret_value() not in repr(account)


async def test_an_unknown_account_is_none(registry: AccountRegistry) -> None:
    assert await registry.find(new_id()) is None


async def test_an_account_is_kept_for_its_time_and_then_read_again(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    rotated = await replace_tokens(database, account, "new token")
    reads = database.reads

    clock.now += 59
    assert await registry.find(account.id) == account
    assert database.reads == reads

    clock.now += 2
    assert await registry.find(account.id) == rotated


async def test_refreshing_reads_afresh_but_no_more_than_once_a_second(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    rotated = await replace_tokens(database, account, "new token")

    assert await registry.refresh(account.id) == account
    clock.now += 1
    assert await registry.refresh(account.id) == rotated


async def test_a_removed_account_is_gone_after_a_refresh(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    await remove(database, account)
    clock.now += 1

    assert await registry.refresh(account.id) is None
    assert await registry.find(account.id) is None


async def test_a_new_account_is_found_a_second_after_it_was_asked_for_in_vain(
    registry: AccountRegistry, database: SwitchedDatabase, clock: Clock
) -> None:
    account = new_channel_account()
    assert await registry.find(account.id) is None
    await store_channel_account(database, account, CIPHER)

    clock.now += 1

    assert await registry.find(account.id) == account


async def test_asking_again_for_an_unknown_account_does_not_reach_the_database(
    registry: AccountRegistry, database: SwitchedDatabase
) -> None:
    stranger = new_id()
    await registry.find(stranger)
    reads = database.reads

    for _ in range(100):
        assert await registry.find(stranger) is None

    assert database.reads == reads


async def test_a_flood_of_unknown_ids_does_not_fill_the_memory(registry: AccountRegistry) -> None:
    for _ in range(1_100):
        await registry.find(new_id())

    assert len(registry._unknown) == 1_024  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


async def test_a_flood_of_unknown_ids_waits_in_line_and_a_known_account_does_not(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    reads = database.reads
    database.hung = True
    flood = [asyncio.create_task(registry.find(new_id())) for _ in range(50)]
    await eventually(lambda: database.reads == reads + 4)

    database.hung = False
    clock.now += 61

    assert await registry.find(account.id) == account
    assert not any(task.done() for task in flood)
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert all(isinstance(outcome, DependencyDown) for outcome in outcomes[:4])


async def test_many_who_ask_at_once_share_one_read(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase
) -> None:
    found = await asyncio.gather(*(registry.find(account.id) for _ in range(50)))

    assert found == [account] * 50
    assert database.reads == 2  # the door, and the row behind it


async def test_whoever_gives_up_waiting_does_not_take_the_answer_from_the_others(
    registry: AccountRegistry, account: ChannelAccount
) -> None:
    impatient = asyncio.create_task(registry.find(account.id))
    patient = asyncio.create_task(registry.find(account.id))
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient == account


async def test_while_the_database_is_away_a_cached_account_keeps_serving(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    database.away = True
    clock.now += 3_600

    assert await registry.find(account.id) == account
    assert await registry.refresh(account.id) == account
    await registry.check()


async def test_while_the_database_is_away_it_is_asked_now_and_then_only(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    database.away = True
    clock.now += 3_600
    await registry.find(account.id)
    reads = database.reads

    clock.now += 4
    await registry.find(account.id)
    assert database.reads == reads

    clock.now += 1
    await registry.find(account.id)
    assert database.reads == reads + 1


async def test_when_the_database_comes_back_the_account_is_fresh(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase, clock: Clock
) -> None:
    await registry.find(account.id)
    database.away = True
    clock.now += 3_600
    await registry.find(account.id)
    database.away = False
    rotated = await replace_tokens(database, account, "new token")

    clock.now += 5

    assert await registry.find(account.id) == rotated


async def test_a_database_that_is_away_with_nothing_cached_is_told(
    registry: AccountRegistry, account: ChannelAccount, database: SwitchedDatabase
) -> None:
    database.away = True

    with pytest.raises(DependencyDown):
        await registry.find(account.id)
    with pytest.raises(DependencyDown):
        await registry.check()

    database.away = False
    await registry.check()
    assert await registry.find(account.id) == account


async def test_a_database_that_hangs_counts_as_away(
    database: SwitchedDatabase, account: ChannelAccount
) -> None:
    registry = AccountRegistry(database, CIPHER, patience=0.05)
    database.hung = True

    async with asyncio.timeout(20):
        with pytest.raises(DependencyDown, match=r"no answer in 0\.05 s"):
            await registry.find(account.id)


async def test_an_account_under_a_lost_key_is_a_permanent_error(
    database: SwitchedDatabase, account: ChannelAccount
) -> None:
    registry = AccountRegistry(database, SecretCipher({"k2": os.urandom(32)}))

    with pytest.raises(PermanentError, match="key 'k1'"):
        await registry.find(account.id)


async def test_a_secret_copied_into_another_tenants_row_does_not_open(
    registry: AccountRegistry, database: SwitchedDatabase, account: ChannelAccount
) -> None:
    thief = new_channel_account()
    await store_channel_account(database, thief, CIPHER)

    def copy(tx: Transaction) -> None:
        stolen = tx.execute(
            text("select auth_tokens from channel_accounts where account_sid = :sid"),
            {"sid": account.account_sid},
        ).scalar_one()
        tx.execute(
            update(CHANNEL_ACCOUNTS)
            .where(CHANNEL_ACCOUNTS.c.id == thief.id)
            .values(auth_tokens=stolen)
        )

    await database.transaction(copy)

    with pytest.raises(PermanentError, match="for another place"):
        await registry.find(thief.id)
