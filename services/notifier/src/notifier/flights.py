"""Calls in the air: one that fails does not bring the others down."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Flights:
    """Coroutines that run beside each other; made by `flights`."""

    def __init__(self) -> None:
        """Start with none."""
        self.in_air: set[asyncio.Task[None]] = set()

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        """Let one take off."""
        self.in_air.add(asyncio.create_task(call))

    async def landing(self, *, within: float) -> None:
        """Return when one has landed, or after `within` seconds; raise what it raised."""
        if not self.in_air:
            await asyncio.sleep(within)
            return
        landed, self.in_air = await asyncio.wait(
            self.in_air, timeout=within, return_when=asyncio.FIRST_COMPLETED
        )
        for error in [flight.exception() for flight in landed]:
            if error is not None:
                raise error


@asynccontextmanager
async def flights() -> AsyncGenerator[Flights]:
    """Wait at the end until all are down; raise what one raised. Cancelled, cancel them."""
    opened = Flights()
    try:
        yield opened
        await asyncio.gather(*opened.in_air)
    except asyncio.CancelledError:
        for flight in opened.in_air:
            flight.cancel()
        raise
    finally:
        await asyncio.gather(*opened.in_air, return_exceptions=True)
