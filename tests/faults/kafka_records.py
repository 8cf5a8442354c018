"""What one run has on the Kafka of all runs."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from common.events import TOPICS


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """A cluster, and what stands before the names of a run's topics and groups."""

    bootstrap: str
    prefix: str

    @property
    def url(self) -> str:
        return f"kafka://{self.bootstrap}/{self.prefix}"

    def name(self, name: str) -> str:
        return f"{self.prefix}.{name}"


async def records_to_handle(address: KafkaAddress) -> int:
    """Count the records that their group has not committed, over all topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=address.bootstrap)
    await asyncio.gather(admin.start(), consumer.start())
    try:
        committed: dict[TopicPartition, int] = {}
        for group in {topic.consumer for topic in TOPICS}:
            offsets = await admin.list_consumer_group_offsets(address.name(group))
            committed |= {partition: told.offset for partition, told in offsets.items()}
        ends = await consumer.end_offsets(await _partitions(admin, address))
    finally:
        await asyncio.gather(admin.close(), consumer.stop())
    return sum(end - max(0, committed.get(partition, 0)) for partition, end in ends.items())


async def remove_topics(address: KafkaAddress) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([address.name(topic.name) for topic in TOPICS])
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, address: KafkaAddress) -> list[TopicPartition]:
    described = await admin.describe_topics([address.name(topic.name) for topic in TOPICS])
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]
