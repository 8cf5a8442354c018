"""The list of messages, as Twilio's own library reads it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from twilio.rest import Client

from common.testing import eventually
from tests.unit.simulator.twilio_client import blocking, twilio_client
from tests.unit.simulator.world import (
    ACCOUNT,
    ANA,
    ANA_SMS,
    SMS,
    WHATSAPP,
    World,
    open_business,
    open_world,
    signed_in,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_business() as business, open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        yield world


@pytest.fixture
def client(world: World) -> Client:
    return twilio_client(world.url)


async def test_the_list_has_the_newest_first_and_goes_on_page_by_page(
    world: World, client: Client
) -> None:
    for number in range(5):
        await world.send(f"parte {number}", ANA_SMS)

    listed = await blocking(client.messages.list, page_size=2)
    first = await blocking(client.messages.page, page_size=2)

    assert [one.body for one in listed] == [f"parte {number}" for number in (4, 3, 2, 1, 0)]
    assert [one.body for one in list(first)] == ["parte 4", "parte 3"]
    assert "Page=1&PageToken=PASM" in str(first.next_page_url)


async def test_the_list_is_filtered_by_both_addresses(world: World, client: Client) -> None:
    await world.write("de Ana")
    await world.send("para Ana")
    await world.send("para Bruno", "whatsapp:+5511999990002")

    to_ana = await blocking(client.messages.list, to=ANA, from_=WHATSAPP)
    from_ana = await blocking(client.messages.list, to=WHATSAPP, from_=ANA)

    assert [one.body for one in to_ana] == ["para Ana"]
    assert [(one.body, one.direction, one.status) for one in from_ana] == [
        ("de Ana", "inbound", "received")
    ]


async def test_the_list_is_filtered_by_time(world: World, client: Client) -> None:
    await world.send("agora", ANA_SMS)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    async def bodies(after: datetime, before: datetime) -> list[str | None]:
        listed = await blocking(
            client.messages.list, date_sent_after=after, date_sent_before=before
        )
        return [one.body for one in listed]

    assert await bodies(now - hour, now + hour) == ["agora"]
    assert await bodies(now + hour, now + 2 * hour) == []
    assert await bodies(now - 2 * hour, now - hour) == []


async def test_a_day_is_a_filter_too(world: World) -> None:
    await world.send("hoje", ANA_SMS)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    today = datetime.now(UTC).date()

    async def listed(day: object) -> list[str]:
        query = {"DateSent": str(day)}
        async with world.http.get(path, params=query, headers=signed_in()) as answer:
            return [one["body"] for one in (await answer.json())["messages"]]

    assert await listed(today - timedelta(days=1)) == []
    assert "hoje" in await listed(today) + await listed(today + timedelta(days=1))


async def test_a_date_that_is_none_is_refused(world: World) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?DateSent=ontem"

    async with world.http.get(path, headers=signed_in()) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 20001)


async def test_a_message_can_show_up_in_the_list_late(world: World, client: Client) -> None:
    await world.put_faults(list={"delay": {"next": 1}}, list_delay_seconds=0.4)
    await world.send("atrasada", ANA_SMS)

    at_first = await blocking(client.messages.list, to=ANA_SMS)

    async def listed() -> bool:
        return len(await blocking(client.messages.list, to=ANA_SMS)) == 1

    assert at_first == []
    await eventually(listed)
