"""An event loop whose clock jumps: nothing is waited for, and every timer keeps its order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs what is ready; when nothing is, it is at once as late as the next timer says."""

    def __init__(self) -> None:
        """Begin at second 0."""
        super().__init__(_Jumping(self))
        self.now = 0.0

    def time(self) -> float:
        """Return the simulated seconds since the beginning."""
        return self.now

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until this is done; whatever else is due meanwhile happens too."""
        return self.run_until_complete(coroutine)


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("everybody waits, and nobody for a time")
            self._loop.now += timeout
        return ready
