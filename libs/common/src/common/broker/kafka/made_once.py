"""What is slow to make and needed by many: the topics, the producer's connection."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """Made by one task at a time, which goes on when those who wait for it give up.

    So a broker that is slower than all who ask for it is reached nevertheless.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Make nothing yet."""
        self._make = make
        self._making: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return it once it is made. Raises what its making raised; the next call begins anew."""
        if self._making is not None and _succeeded(self._making):
            return self._making.result()  # as nearly always, and cheaper than to wait for it
        if self._making is None:
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(self._finished)
        return await asyncio.shield(self._making)

    def forget(self, made: T) -> bool:
        """Have it made anew for the next who asks; False if somebody saw to that before."""
        making = self._making
        if making is None or not _succeeded(making) or making.result() is not made:
            return False
        self._making = None
        return True

    async def close(self) -> T | None:
        """Return what was made, and forget it; a making under way is cancelled."""
        making, self._making = self._making, None
        if making is None:
            return None
        making.cancel()
        await asyncio.wait([making])
        return making.result() if _succeeded(making) else None

    def _finished(self, making: asyncio.Task[T]) -> None:
        if not _succeeded(making) and self._making is making:
            self._making = None


def _succeeded(making: asyncio.Task[T]) -> bool:
    # asking for the exception marks it as seen: those who waited were told, if any still did
    return making.done() and not making.cancelled() and making.exception() is None
