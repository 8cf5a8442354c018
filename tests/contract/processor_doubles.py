"""Assistants, and a broker, that do what tests need of them."""

import asyncio
from collections.abc import Awaitable, Callable

from common.broker.memory import MemoryTransport
from common.errors import DependencyDown
from common.events import Record
from processor.assistant import Answer, TurnContext

Meanwhile = Callable[[], Awaitable[object]]


class Echo:
    """An assistant that repeats what it is asked, and remembers what it was given."""

    def __init__(self) -> None:
        self.turns: list[TurnContext] = []

    async def answer(self, turn: TurnContext) -> Answer:
        self.turns.append(turn)
        return Answer(" | ".join(turn.unanswered))


class Interrupted(Echo):
    """An assistant during whose work something else happens."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def answer(self, turn: TurnContext) -> Answer:
        await self._meanwhile()
        return await super().answer(turn)


class Waiting(Echo):
    """An assistant that works until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()

    async def answer(self, turn: TurnContext) -> Answer:
        self.begun.set()
        await self.let_go.wait()
        return await super().answer(turn)


class Saying:
    """An assistant that says the same to everything."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    async def answer(self, turn: TurnContext) -> Answer:
        del turn
        return Answer(self._text)


class Away:
    async def answer(self, turn: TurnContext) -> Answer:
        del turn
        raise DependencyDown("model", "no route")


class Deaf(MemoryTransport):
    """Takes every record for another transport, and never says so."""

    def __init__(self, inner: MemoryTransport) -> None:
        super().__init__()
        self._inner = inner

    async def publish(self, record: Record) -> None:
        await self._inner.publish(record)
        raise DependencyDown("broker", "the answer was lost")
