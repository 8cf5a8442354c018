"""A process that takes one record of the broker at the URL given to it, says so, and hangs."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from common.broker.kafka.address import parse_address
from common.broker.kafka.transport import KafkaTransport
from common.broker.sqlite.transport import SqliteTransport
from common.broker.transport import Transport
from common.database import open_database
from common.events import MESSAGES_RECEIVED

LEASE_SECONDS = 6.0
"""The shortest session that a Kafka broker grants."""


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Transport]:
    if url.startswith("kafka:"):
        kafka = KafkaTransport(
            parse_address(url), partitions=1, replication=1, session_seconds=LEASE_SECONDS
        )
        yield kafka
        await kafka.close()
    else:
        async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
            yield SqliteTransport(database, lease_seconds=1.0)


async def take_one_and_hang(url: str) -> None:
    async def let_go(_shards: Collection[str]) -> None: ...

    async with (
        opened(url) as transport,
        transport.subscribe("processor", [MESSAGES_RECEIVED], let_go) as subscription,
    ):
        while not await subscription.fetch(1):
            pass
        sys.stdout.write("taken\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def kill_one_that_took_a_record_of(url: str) -> None:
    """Start such a process, and kill it -9 once it has a record."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while (line := await process.stdout.readline()) != b"taken\n":
                assert line, "it ended by itself"
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(take_one_and_hang(sys.argv[1]))
