"""aiokafka as far as its documentation leads: a task for each record, contiguous commits.

No order per key, no retry, no dead letter, no pause, no drain. It fetches as our transport does,
and holds as many records as our engine.
"""

import asyncio
from collections import defaultdict, deque
from contextlib import suppress

import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from tests.benchmarks.peers.tally import Order, Tally, order

WINDOW, COMMIT_SECONDS, COMMIT_RECORDS = 1000, 1.0, 500
POLL_MILLISECONDS, POLL_RECORDS = 250, 100


class Progress:
    """The records of a partition that were begun and not finished without a gap."""

    def __init__(self) -> None:
        self.begun = deque[int]()
        self.finished = set[int]()
        self.position = 0

    def finish(self, offset: int) -> None:
        self.finished.add(offset)
        while self.begun and self.begun[0] in self.finished:
            self.position = self.begun.popleft() + 1
            self.finished.remove(self.position - 1)


class BareTasks:
    def __init__(self, given: Order, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self.tally = Tally(given)
        self.progress = defaultdict[TopicPartition, Progress](Progress)
        self.tasks = set[asyncio.Task[None]]()
        self.running = 0
        self.finished = 0
        self.room = asyncio.Event()
        self.much = asyncio.Event()
        self.done = asyncio.Event()

    async def read(self) -> None:
        while not self.done.is_set():
            while self.running >= WINDOW:
                self.room.clear()
                await self.room.wait()
            batches = await self.consumer.getmany(
                timeout_ms=POLL_MILLISECONDS,
                max_records=min(POLL_RECORDS, WINDOW - self.running),
            )
            for partition, records in batches.items():
                progress = self.progress[partition]
                self.running += len(records)
                for record in records:
                    progress.begun.append(record.offset)
                    task = asyncio.create_task(self.work(progress, record))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)

    async def work(self, progress: Progress, record: ConsumerRecord[bytes, bytes]) -> None:
        await self.handle(record)
        progress.finish(record.offset)
        self.running -= 1
        self.finished += 1
        self.room.set()
        if self.finished >= COMMIT_RECORDS:
            self.much.set()

    async def handle(self, record: ConsumerRecord[bytes, bytes]) -> None:
        del record
        if self.tally.one():
            self.done.set()

    async def commit(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.much.wait(), COMMIT_SECONDS)
            self.finished = 0
            self.much.clear()
            positions = {each: one.position for each, one in self.progress.items() if one.position}
            if positions:
                await self.consumer.commit(positions)


async def main() -> None:
    given = order()
    consumer = AIOKafkaConsumer(
        given.topic,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        max_partition_fetch_bytes=262_144,
        fetch_max_bytes=8_388_608,
    )
    await consumer.start()
    bare = BareTasks(given, consumer)
    committing = asyncio.create_task(bare.commit())
    try:
        await bare.read()
    finally:
        committing.cancel()
        await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main())
