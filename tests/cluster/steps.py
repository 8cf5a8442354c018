"""A line for each step, with its seconds."""
# ruff: noqa: T201 - what it did is told on the terminal

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tests.servers.processes import ServerFailedError


@contextmanager
def step(words: str) -> Generator[None]:
    """Say what was done and how long it took; a step that fails is named before its error."""
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        _say(words, begun, "FAILED")
        raise
    _say(words, begun, "ok")


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll `ready`; raise `ServerFailedError` when the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ServerFailedError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


def expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Raise `ServerFailedError` with the sentence unless it holds."""
    if not holds:
        raise ServerFailedError(otherwise)


def _say(words: str, begun: float, verdict: str) -> None:
    print(f"{time.monotonic() - begun:7.1f} s  {verdict:6}  {words}", flush=True)
