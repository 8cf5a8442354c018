"""A model assistant that is loaded by the first turn that asks for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from processor.assistant.choice import ModelChoice
from processor.assistant.falling_back import ModelAnswers
from processor.assistant.port import Answer, TurnContext


class ReadyModels(ModelAnswers, Protocol):
    """Answers with models that can be tried out before."""

    async def ready(self, choice: ModelChoice) -> None:
        """Raise `StartError` with a sentence where the model could never answer."""
        ...


class OnDemand:
    """See `ReadyModels`. Whoever has no model loads no provider's package."""

    def __init__(self, load: Callable[[], Awaitable[ReadyModels]]) -> None:
        """Take what loads it; that happens once."""
        self._load = load
        self._loading = asyncio.Lock()
        self._loaded: ReadyModels | None = None

    async def ready(self, choice: ModelChoice) -> None:
        """See `ReadyModels.ready`."""
        await (await self._models()).ready(choice)

    async def answer(self, turn: TurnContext, choice: ModelChoice) -> Answer:
        """See `ModelAnswers.answer`."""
        return await (await self._models()).answer(turn, choice)

    async def _models(self) -> ReadyModels:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await self._load()
            return self._loaded
