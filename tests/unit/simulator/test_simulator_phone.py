"""The stream behind the phone page, and the files of the page."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from simulator.bell import Bell
from simulator.ledger import open_ledger
from simulator.phone.routes import Phone
from tests.unit.simulator.world import ANA, WHATSAPP, Business, World, open_world


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    id: str
    text: str


@asynccontextmanager
async def stream(
    world: World, seen: str = "", **query: str
) -> AsyncGenerator[AsyncIterator[Event]]:
    asked = {"contact": ANA, "sender": WHATSAPP} | query
    headers = {"Last-Event-ID": seen} if seen else {}
    async with world.http.get("/phone/events", params=asked, headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        yield events(answer)


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            text = json.loads(fields["data"]).get("text", "")
            yield Event(fields.get("event", "message"), fields.get("id", ""), text)
            fields = {}


async def until_ready(stream: AsyncIterator[Event]) -> list[Event]:
    seen: list[Event] = []
    async for event in stream:
        if event.name == "ready":
            return seen
        seen.append(event)
    raise AssertionError(seen)


async def test_the_past_comes_first_and_then_what_happens(world: World) -> None:
    await world.write("antes")
    await world.settled()

    async with stream(world) as following:
        past = await until_ready(following)
        await world.send("depois")
        new = await anext(following)

    assert [event.text for event in past] == ["antes"]
    assert (new.name, new.text) == ("message", "depois")


async def test_a_reader_who_comes_back_gets_only_what_it_missed(world: World) -> None:
    await world.write("primeira")
    await world.settled()
    async with stream(world) as following:
        (seen,) = await until_ready(following)
    await world.write("segunda")
    await world.settled()

    async with stream(world, seen.id) as following:
        by_header = await until_ready(following)
    async with stream(world, after=seen.id) as following:
        by_address = await until_ready(following)

    assert [event.text for event in by_header] == ["segunda"]
    assert by_address == by_header


@pytest.mark.parametrize("seen", ["999999999", "9" * 30, "-1", "x"])
async def test_a_place_nobody_gave_out_means_from_the_beginning(world: World, seen: str) -> None:
    await world.write("Oi")
    await world.settled()

    async with stream(world, seen) as following:
        assert [event.text for event in await until_ready(following)] == ["Oi"]


async def test_a_change_of_status_is_told_again_with_the_message(world: World) -> None:
    await world.write("Oi")
    await world.settled()

    async with stream(world) as following:
        await until_ready(following)
        await world.send("Olá")
        changes = [await anext(following) for _ in range(4)]

    assert [event.text for event in changes] == ["Olá"] * 4
    assert len({event.id for event in changes}) == 4


async def test_other_conversations_stay_out_of_it(world: World) -> None:
    await world.write("de outra pessoa", "whatsapp:+5511999990002")
    await world.settled()

    async with stream(world) as following:
        assert await until_ready(following) == []


async def test_a_long_past_is_read_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.conversation._MOST_AT_ONCE", 2)
    for number in range(5):
        await world.write(f"{number}")
    await world.settled()

    async with stream(world) as following:
        past = await until_ready(following)

    assert sorted({event.text for event in past}) == ["0", "1", "2", "3", "4"]


async def test_a_stream_ends_when_the_simulator_does(tmp_path: Path, business: Business) -> None:
    async with open_world(tmp_path, business) as world, stream(world) as following:
        await until_ready(following)
        world.stop()
        async with asyncio.timeout(20):
            assert [event async for event in following] == []


async def test_a_quiet_stream_is_heard_to_live(tmp_path: Path) -> None:
    bell = Bell()
    async with open_ledger(tmp_path / "simulator.db") as ledger:
        phone = Phone(ledger, bell, heartbeat_seconds=0.01)
        following = phone.follow(sender=WHATSAPP, contact=ANA, after=0)

        heard = [await anext(following) for _ in range(4)]
        await following.aclose()

    assert [line.partition("\n")[0] for line in heard] == [
        "retry: 1000",
        "event: ready",
        "event: heartbeat",
        "event: heartbeat",
    ]


@pytest.mark.parametrize("path", ["/phone", "/phone/static/phone.js", "/phone/static/phone.css"])
async def test_the_page_and_its_files_come_with_strict_rules(world: World, path: str) -> None:
    async with world.http.get(path) as answer:
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpage.html", "%2e%2e%2froutes.py", ""])
async def test_nothing_but_the_pages_files_is_served(world: World, name: str) -> None:
    async with world.http.get(f"/phone/static/{name}") as answer:
        assert answer.status == 404
