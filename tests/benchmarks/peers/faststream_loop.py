"""FastStream with manual acknowledgement: one worker, or one for each partition."""

# pyright: reportMissingImports=false, reportUntypedFunctionDecorator=false, reportUnknownParameterType=false
# it is installed in an environment of its own

import asyncio
import sys

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from tests.benchmarks.peers.tally import Tally, order


async def undecoded(message: KafkaMessage) -> bytes:
    return message.body


async def main(workers: int) -> None:
    given = order()
    tally, done = Tally(given), asyncio.Event()
    broker = KafkaBroker(given.bootstrap, logger=None)

    @broker.subscriber(
        given.topic,
        group_id=given.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        max_workers=workers,
        decoder=undecoded,
        max_partition_fetch_bytes=262_144,
        fetch_max_bytes=8_388_608,
    )
    async def handle(body: bytes, message: KafkaMessage) -> None:
        del body
        await message.ack()
        if tally.one():
            done.set()

    app = FastStream(broker, logger=None)
    running = asyncio.create_task(app.run())
    await done.wait()
    app.exit()
    await running


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[2])))
