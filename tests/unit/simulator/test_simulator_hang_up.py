import asyncio
import time
from typing import Any

from starlette.types import Message

from simulator.hang_up import NoAnswer, Transports


class Line:
    """A caller's connection: hung up by it, or by us."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.sent: list[Message] = []
        self.transport: Line | None = self

    async def receive(self) -> Message:
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def get_extra_info(self, _: str) -> None:
        return None

    def abort(self) -> None:
        self.ended.set()


async def call(line: Line, answer: NoAnswer) -> float:
    """Give the seconds until it was over."""
    scope: dict[str, Any] = {"type": "http"}
    began = time.monotonic()
    async with asyncio.timeout(30):
        await Transports(answer)(scope, line.receive, line.send)
    return time.monotonic() - began


async def test_the_line_is_held_and_then_cut_without_a_word() -> None:
    line = Line()

    seconds = await call(line, NoAnswer(hold_seconds=0.05, closing=asyncio.Event()))

    assert seconds >= 0.05
    assert line.sent == []


async def test_a_caller_who_gives_up_is_let_go() -> None:
    line = Line()
    line.ended.set()

    assert await call(line, NoAnswer(hold_seconds=60, closing=asyncio.Event())) < 30


async def test_nobody_is_held_when_the_simulator_ends() -> None:
    line, closing = Line(), asyncio.Event()
    closing.set()

    assert await call(line, NoAnswer(hold_seconds=60, closing=closing)) < 30


async def test_a_line_out_of_reach_is_answered_with_an_error() -> None:
    line = Line()
    line.transport = None

    await call(line, NoAnswer(hold_seconds=0, closing=asyncio.Event()))

    assert line.sent[0]["status"] == 500
