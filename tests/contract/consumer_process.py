"""`python -m tests.contract.consumer_process NAME SETTINGS FOLDER`: one consumer of several.

It handles messages until SIGTERM as a service does, and appends what it does to `FOLDER/history`.
"""

import asyncio
import random
import sys
from pathlib import Path
from typing import Any

from common.broker.connect import open_transport
from common.database import open_database
from common.events import Event
from common.runtime import run_until_stopped
from common.settings import BrokerSettings
from common.testing.broker import create_dead_letter_table, engine_of
from tests.contract.history import BEGAN, ENDED, History, Line
from tests.servers.processes import Server

QUICK_SECONDS, SLOW_SECONDS, SLOW_SHARE = 0.1, 1.5, 0.03
"""In a handler. While the slow ones last, commits are made of what was finished beside them."""
AGAIN_SECONDS = 0.7
"""With a message that was begun before: time for who had it to come back and acknowledge it."""


def start_consumer(name: str, settings: BrokerSettings, folder: Path) -> Server:
    """Start such a process."""
    arguments = [name, settings.model_dump_json(exclude_unset=True), str(folder)]
    command = [sys.executable, "-m", "tests.contract.consumer_process", *arguments]
    return Server(command, log=folder / f"{name}.log")


def some_seconds() -> float:
    slow = random.random() < SLOW_SHARE
    return SLOW_SECONDS if slow else random.uniform(0, QUICK_SECONDS)


async def consume(name: str, settings: BrokerSettings, folder: Path) -> None:
    """Handle until SIGTERM; what is finished is written down before it is acknowledged."""
    history = History(folder / "history")

    async def work(event: Event[Any]) -> None:
        handled = event.payload.contact, int(event.payload.text)
        again = history.tells_of(handled)
        history.append(Line(BEGAN, name, handled))
        await asyncio.sleep(AGAIN_SECONDS if again else some_seconds())
        history.append(Line(ENDED, name, handled))

    rows = f"sqlite:///{folder / name}.db"
    async with (
        open_transport(settings) as transport,
        open_database(rows, pool_size=1, busy_seconds=5.0) as database,
    ):
        await create_dead_letter_table(database)
        engine = engine_of(transport, work, database, concurrency=4)
        await run_until_stopped(engine, drain_seconds=10.0)


if __name__ == "__main__":
    asyncio.run(
        consume(sys.argv[1], BrokerSettings.model_validate_json(sys.argv[2]), Path(sys.argv[3]))
    )
