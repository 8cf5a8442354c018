"""One customer's message through the running simulator, and the reply that came of it."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from common.errors import StartError
from recado.development import SENDERS

_BETWEEN_PARTS = 0.6  # seconds without a further part, after which the reply is taken for whole


@dataclass(frozen=True, slots=True)
class Said:
    """What the customer wrote, what came back, and how long that took."""

    text: str
    replies: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Whom to write to, and through which simulator."""

    simulator_url: str
    sender: str


def running(data: Path) -> Correspondent:
    """Return whom to write to at what runs in `data`; raises `StartError` when nothing does."""
    facts = read_running(data)
    return Correspondent(facts["simulator_url"], facts["sender"])


def elsewhere(simulator_url: str) -> Correspondent:
    """Return the sample business, as it is set up at a simulator on another machine."""
    return Correspondent(simulator_url, SENDERS[0])


async def say(text: str, to: Correspondent, *, contact: str, within: float) -> Said:
    """Write `text` as `contact` and wait for the reply; none in `within` seconds gives no replies.

    Raises `StartError` when the simulator does not answer, or does not know whom to write to.
    """
    async with aiohttp.ClientSession(to.simulator_url) as http:
        started = time.monotonic()
        written = await _write(http, contact, to.sender, text)
        replies = await _replies(http, written, deadline=started + within)
        return Said(text, tuple(replies), time.monotonic() - started)


def read_running(data: Path) -> dict[str, Any]:
    """Return what `recado dev` wrote of itself into its data folder."""
    file = data / "dev.json"
    if not file.exists():
        raise StartError(f"Nothing runs in {data}: start it with `make run` first.")
    return json.loads(file.read_text())


async def _write(
    http: aiohttp.ClientSession, contact: str, sender: str, text: str
) -> dict[str, str]:
    body = {"from": contact, "to": sender, "text": text}
    try:
        async with http.post("/simulator/messages", json=body) as answer:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's border of errors
                raise StartError(f"The simulator refused the message: {await answer.text()}")
            return {"contact": contact, "sender": sender, "after": (await answer.json())["sid"]}
    except aiohttp.ClientConnectionError as error:
        raise StartError(f"The simulator does not answer ({error}): start it again.") from error


async def _replies(
    http: aiohttp.ClientSession, query: dict[str, str], *, deadline: float
) -> list[str]:
    replies: list[str] = []
    patience = deadline
    while time.monotonic() < patience:
        async with http.get("/simulator/messages", params=query) as answer:
            messages = (await answer.json())["messages"]
        texts = [one["text"] for one in messages if one["direction"] == "outbound"]
        if len(texts) > len(replies):
            replies, patience = texts, time.monotonic() + _BETWEEN_PARTS
        await asyncio.sleep(0.05)
    return replies
