"""A process that takes one record of the broker at the URL given to it, says so, and hangs."""

import asyncio
import sys
from collections.abc import Collection

from common.broker.connect import open_transport
from common.events import MESSAGES_RECEIVED
from common.settings import BrokerSettings

LEASE_SECONDS = 1.0
"""Kafka grants none so short: it makes 6 of it."""


async def take_one_and_hang(url: str) -> None:
    async def let_go(_shards: Collection[str]) -> None: ...

    settings = BrokerSettings(url=url, partitions=1, lease_seconds=LEASE_SECONDS)
    async with (
        open_transport(settings) as transport,
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
