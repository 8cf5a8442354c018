"""Our engine over our Kafka transport, started as a service is.

What is measured is the engine: fetching, lanes, the handler's outcome, metrics, acknowledgements,
commits. Decoding the payload is left out by a stand-in, since a bare loop does not decode either;
`--decode` leaves it in. With an address for spans, logs are on too: a line for each record.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from common.broker.connect import open_transport
from common.broker.transport import Revoked, Subscription, Transport
from common.database import open_database
from common.events import Event, Record, Topic
from common.runtime.process import start
from common.settings import Settings
from common.testing.broker import create_dead_letter_table, engine_of, message
from tests.benchmarks.backlog import PARTITIONS
from tests.benchmarks.peers.tally import Order, Tally, order


@dataclass(frozen=True)
class AsGroup:
    """The same transport under another group's name, so that each run begins at the beginning."""

    transport: Transport
    group: str

    async def publish(self, record: Record) -> None:
        await self.transport.publish(record)

    def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AbstractAsyncContextManager[Subscription]:
        del group
        return self.transport.subscribe(self.group, topics, revoked)

    async def check(self) -> None:
        await self.transport.check()


class Handler:
    """Counts, and waits if told so."""

    def __init__(self, given: Order, stop: asyncio.Event) -> None:
        self._wait = given.wait_seconds
        self._tally = Tally(given)
        self._stop = stop

    async def __call__(self, event: Event[Any]) -> None:
        del event
        if self._wait:
            await asyncio.sleep(self._wait)
        if self._tally.one():
            self._stop.set()


async def consume(given: Order, settings: Settings) -> None:
    stop = asyncio.Event()
    with TemporaryDirectory(prefix="recado-bench-") as folder:
        url = f"sqlite:///{Path(folder)}/letters.db"
        async with (
            open_database(url, pool_size=1, busy_seconds=5.0) as database,
            open_transport(settings.broker) as kafka,
        ):
            await create_dead_letter_table(database)
            transport, handler = AsGroup(kafka, given.group), Handler(given, stop)
            await engine_of(transport, handler, database, settings=settings.broker).run(stop)


def undecoded() -> AbstractContextManager[object]:
    """Give every record the same event, made before."""
    event = message("+5511999990001")

    def decoded(record: Record) -> Event[Any]:
        del record
        return event

    return patch("common.broker.engine.handling.decode", decoded)


def main() -> None:
    given = order()
    environ = {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_BROKER_URL": f"kafka://{given.bootstrap}/{given.topic.partition('.')[0]}",
        "RECADO_BROKER_PARTITIONS": str(PARTITIONS),
        "RECADO_LOG_FORMAT": "json",
        "RECADO_LOG_LEVEL": "info" if given.spans else "warning",
        "RECADO_TRACING_ENDPOINT": given.spans,
        "RECADO_TRACING_RATIO": "0.05",
    }
    with nullcontext() if "--decode" in sys.argv else undecoded():
        start("processor", Settings, partial(consume, given), environ=environ)


if __name__ == "__main__":
    main()
