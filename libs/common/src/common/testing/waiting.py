"""Wait for a condition instead of sleeping for a guess."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], T | Awaitable[T]], *, within: float = 20.0) -> T:
    """Return the condition's first truthy value; fail after `within` seconds with its last one."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        result: T = await value if inspect.isawaitable(value) else value  # pyright: ignore[reportAssignmentType]
        if result:
            return result
        if time.monotonic() > deadline:
            message = f"still {result!r} after {within} s"
            raise AssertionError(message)
        await asyncio.sleep(0.01)
