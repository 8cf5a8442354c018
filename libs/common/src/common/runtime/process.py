"""From the command line to a running process: the same few steps for every service."""

import gc
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn, TypeVar

import uvloop

from common.errors import StartError
from common.observability import logging, tracing
from common.settings import Settings, load

_YOUNG_OBJECTS = 50_000  # a few MiB; by default it is 700

SettingsT = TypeVar("SettingsT", bound=Settings)


def start(
    service: str,
    model: type[SettingsT],
    run: Callable[[SettingsT], Awaitable[None]],
    *,
    environ: Mapping[str, str] | None = None,
) -> NoReturn:
    """Load `model` from the environment, set up logs and spans, and run.

    Exits 0 when it drained, and 2 with a sentence when it cannot start.
    """
    try:
        settings = load(model, environ)
        uvloop.run(_observed(service, settings, run))
    except StartError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who started it
        sys.exit(2)
    sys.exit(0)


async def _observed(
    service: str, settings: SettingsT, run: Callable[[SettingsT], Awaitable[None]]
) -> None:
    _collect_rarely()
    logging.configure(settings.log, service)
    spans = tracing.configure(settings.tracing, service)
    try:
        await run(settings)
    finally:
        if spans is not None:
            spans.shutdown()


def _collect_rarely() -> None:
    """Look for cycles after thousands of requests, not after every few; never in the modules."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
