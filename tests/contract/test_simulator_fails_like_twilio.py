"""Faults on demand, as Twilio's own library meets them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import requests
from twilio.rest import Client

from tests.unit.simulator.twilio_client import blocking, refused, twilio_client
from tests.unit.simulator.world import (
    ACCOUNT,
    ANA_SMS,
    SMS,
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


async def test_too_many_requests_send_nothing_and_say_when_to_come_back(world: World) -> None:
    await world.put_faults(create={"429": {"next": 1}}, retry_after_seconds=7)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"To": ANA_SMS, "From": SMS, "Body": "Oi"}

    async with world.http.post(path, data=form, headers=signed_in()) as answer:
        body = await answer.json()
    second = await world.send("Oi", ANA_SMS)

    assert (answer.status, answer.headers["Retry-After"], body["code"]) == (429, "7", 20429)
    assert second[0] == 201
    assert [one["message_sid"] is None for one in (await world.ledger())["creates"]] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("when", "accepted"), [("before", False), ("after", True)])
async def test_an_error_500_leaves_open_whether_it_was_sent(
    world: World, client: Client, when: str, *, accepted: bool
) -> None:
    await world.put_faults(create={f"500_{when}_accept": {"next": 1}})

    refusal = await refused(client, to=ANA_SMS, from_=SMS, body="Oi")

    listed = await blocking(client.messages.list, to=ANA_SMS)
    assert (refusal.status, refusal.code) == (500, 20500)
    assert len(listed) == accepted


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("timeout_before_accept", False),
        ("timeout_after_accept", True),
        ("reset", False),
        ("reset_after_accept", True),
    ],
)
async def test_no_answer_leaves_open_whether_it_was_sent(
    world: World, client: Client, fault: str, *, accepted: bool
) -> None:
    await world.put_faults(create={fault: {"next": 1}}, hang_seconds=0.2)

    with pytest.raises(requests.ConnectionError):
        await blocking(client.messages.create, to=ANA_SMS, from_=SMS, body="Oi")

    listed = await blocking(client.messages.list, to=ANA_SMS)
    (create,) = (await world.ledger())["creates"]
    assert len(listed) == accepted
    assert (create["fault"], create["status_code"]) == (fault, None)
