"""Run components until a signal comes, let them finish what they hold, end by a deadline."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import structlog

log = structlog.get_logger()


class Component(Protocol):
    """Something that works until told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work; once `stop` is set take nothing new, finish what was taken, and return."""
        ...


async def run_until_stopped(
    *components: Component, drain_seconds: float, stop: asyncio.Event | None = None
) -> None:
    """Run all components until SIGTERM, SIGINT or `stop`, then wait `drain_seconds` for them.

    What is not done by then is cancelled, and at once after a second signal. A component that fails
    or returns without being told to stops the others, which drain as usual; its error is raised
    then.
    """
    stop = stop or asyncio.Event()
    hurry = asyncio.Event()
    tasks = [asyncio.create_task(component.run(stop)) for component in components]
    for task in tasks:
        task.add_done_callback(lambda _task: stop.set())
    with _signals(stop, hurry):
        await stop.wait()
        log.info("stopping", drain_seconds=drain_seconds)
        await _drain(tasks, hurry, drain_seconds)
    for task in tasks:
        if not task.cancelled():
            task.result()
    log.info("stopped")


async def _drain(
    tasks: list[asyncio.Task[None]], hurry: asyncio.Event, drain_seconds: float
) -> None:
    hurried = asyncio.create_task(hurry.wait())
    finished = asyncio.ensure_future(asyncio.wait(tasks))
    await asyncio.wait(
        {hurried, finished}, timeout=drain_seconds, return_when=asyncio.FIRST_COMPLETED
    )
    hurried.cancel()
    unfinished = [task for task in tasks if not task.done()]
    if unfinished:
        log.warning("drain cut short", components=len(unfinished), hurried=hurry.is_set())
        for task in unfinished:
            task.cancel()
    await finished


@contextmanager
def _signals(stop: asyncio.Event, hurry: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()

    def received() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
