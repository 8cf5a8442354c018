"""What is due is posted: in order within a message, and again after a stop or a kill."""

import asyncio
import time
from pathlib import Path

import pytest

from common.testing import eventually
from tests.unit.simulator.world import ANA_SMS, SMS, Business, World, open_world

STATUS = "/status?part=01J"


async def test_every_attempt_stands_in_the_ledger(world: World) -> None:
    await world.put_sender(webhook_url=f"{world.business.url}/m#rc=3&rp=5xx")
    world.business.answers = [503, 500]

    await world.write("Oi")
    ledger = await world.settled()

    (inbound,) = ledger["inbound"]
    assert [one["status_code"] for one in inbound["attempts"]] == [503, 500, 200]
    assert (inbound["accepted"], inbound["status_code"], inbound["finished"]) == (True, 200, True)


async def test_a_message_nobody_took_is_finished_all_the_same(world: World) -> None:
    world.business.answers = [503]

    await world.write("Oi")
    ledger = await world.settled()

    (inbound,) = ledger["inbound"]
    assert (inbound["accepted"], inbound["status_code"]) == (False, 503)


async def test_callbacks_of_a_message_come_one_after_the_other(world: World) -> None:
    world.business.hold = asyncio.Event()
    callback = world.business.url + STATUS
    await world.send("Oi", ANA_SMS, StatusCallback=callback)
    await eventually(lambda: world.business.statuses() == ["sent"])

    async def is_delivered_but_not_told() -> bool:
        ledger = await world.ledger()
        return ledger["pending"] == 2 and world.business.statuses() == ["sent"]

    await eventually(is_delivered_but_not_told)
    world.business.hold.set()
    await world.settled()

    assert world.business.statuses() == ["sent", "delivered"]


async def test_a_slow_webhook_holds_up_no_other_message(world: World) -> None:
    world.business.hold = asyncio.Event()
    await world.write("primeira")
    await world.write("segunda")

    await eventually(lambda: sorted(world.business.texts()) == ["primeira", "segunda"])

    world.business.hold.set()
    await world.settled()


async def test_what_waits_for_its_turn_takes_no_place_of_others(
    tmp_path: Path, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.deliver_webhooks._AT_ONCE", 2)
    business.hold = asyncio.Event()

    async with open_world(tmp_path, business, sent_seconds=0, delivered_seconds=0) as world:
        await world.put_sender(SMS)
        await world.put_faults(callbacks={"duplicate": {"next": 2}})
        await world.send("Oi", ANA_SMS, StatusCallback=business.url + STATUS)
        await eventually(lambda: business.statuses() == ["sent"])
        await world.write("Olá", ANA_SMS)

        await eventually(lambda: business.texts() == ["Olá"])

        business.hold.set()
        await world.settled()


async def test_the_senders_own_callback_url_stands_in(world: World) -> None:
    await world.put_sender(status_callback=f"{world.business.url}/default")
    await world.write("Oi")

    await world.send("Olá")
    await world.send("Olá", StatusCallback=f"{world.business.url}/own")
    await world.settled()

    told = [one.url for one in world.business.received if "MessageStatus" in one.form]
    assert sorted(url.rpartition("/")[2] for url in told) == ["default"] * 3 + ["own"] * 3


@pytest.mark.parametrize(
    ("hours", "statuses"), [(23.9, ["sent", "delivered", "read"]), (24.1, ["undelivered"])]
)
async def test_the_window_closes_24_hours_after_the_contacts_last_message(
    tmp_path: Path, business: Business, hours: float, statuses: list[str]
) -> None:
    ahead = 0.0

    async with open_world(tmp_path, business, clock=lambda: time.time() + ahead) as world:
        await world.put_sender()
        await world.write("Oi")
        ahead = hours * 3600
        await world.send("Olá", StatusCallback=business.url + STATUS)
        await world.settled()

    assert business.statuses() == statuses


async def test_without_a_callback_url_statuses_come_true_silently(world: World) -> None:
    await world.send("Oi", ANA_SMS)

    ledger = await world.settled()

    assert world.business.received == []
    assert ledger["creates"][0]["message_status"] == "delivered"
    assert ledger["callbacks"] == []


async def test_a_stop_ends_soon_and_the_next_start_posts_what_was_left(
    tmp_path: Path, business: Business
) -> None:
    business.hold = asyncio.Event()
    async with open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.write("Oi")
        await eventually(lambda: len(business.received) == 1)
    business.hold.set()

    async with open_world(tmp_path, business) as world:
        ledger = await world.settled()

    first, again = business.received
    assert first.form == again.form
    token = "I-Twilio-Idempotency-Token"
    assert first.headers[token] == again.headers[token]
    assert ledger["inbound"][0]["accepted"]


async def test_a_dropped_callback_is_never_posted_but_the_status_comes_true(world: World) -> None:
    await world.put_faults(callbacks={"drop": {"next": 1}})

    await world.send("Oi", ANA_SMS, StatusCallback=world.business.url + STATUS)
    ledger = await world.settled()

    assert world.business.statuses() == ["delivered"]
    assert [(one["status"], one["fault"]) for one in ledger["callbacks"]] == [
        ("sent", "drop"),
        ("delivered", None),
    ]
    assert ledger["creates"][0]["message_status"] == "delivered"


async def test_reordered_and_doubled_callbacks_leave_the_message_at_its_last_status(
    world: World,
) -> None:
    await world.put_faults(callbacks={"reorder": {"next": 1}, "duplicate": {"next": 1}})

    await world.send("Oi", ANA_SMS, StatusCallback=world.business.url + STATUS)
    ledger = await world.settled()

    assert world.business.statuses() == ["delivered", "delivered", "sent"]
    assert ledger["creates"][0]["message_status"] == "delivered"


async def test_a_customers_message_can_be_told_twice(world: World) -> None:
    await world.put_faults(inbound={"duplicate": {"next": 1}})

    await world.write("Oi")
    ledger = await world.settled()

    assert world.business.texts() == ["Oi", "Oi"]
    assert len(ledger["inbound"]) == 1
    assert len(ledger["inbound"][0]["attempts"]) == 2
