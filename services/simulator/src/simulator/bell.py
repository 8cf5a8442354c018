"""A bell in the simulator's process: it rings when the ledger changed, and at the end."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Bell:
    """Wakes everybody who listens. What changed is for the listener to look up."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self.closed = asyncio.Event()

    @contextmanager
    def listen(self) -> Generator[asyncio.Event]:
        """Give an event that is set at every ring; the listener clears it before it looks."""
        rung = asyncio.Event()
        self._listeners.add(rung)
        try:
            yield rung
        finally:
            self._listeners.remove(rung)

    def ring(self) -> None:
        """Wake all listeners."""
        for rung in self._listeners:
            rung.set()

    def close(self) -> None:
        """Wake all listeners so that they end; whoever listens later ends at once."""
        self.closed.set()
        self.ring()
