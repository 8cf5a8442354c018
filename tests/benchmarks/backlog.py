"""Records that wait in Kafka before a consumer is measured."""

import asyncio
import random
import zlib

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.events import MESSAGES_RECEIVED, encode
from common.ids import new_id
from common.testing.broker import message

PARTITIONS, TENANTS = 6, 20
WORDS = "Vocês abrem domingo? E tem pão sem glúten? " * 14
SAMPLED, UNSAMPLED, SAMPLED_SHARE = "01", "00", 0.05

Headers = list[tuple[str, bytes]]


def load(bootstrap: str, name: str, *, records: int, keys: int) -> str:
    """Fill the topic of an installation called `name`; return the topic.

    About 1 KB each, with a gateway's headers, of several tenants, in random order of keys.
    """
    topic = f"{name}.{MESSAGES_RECEIVED.name}"
    asyncio.run(_load(bootstrap, topic, records, keys))
    return topic


async def _load(bootstrap: str, topic: str, records: int, keys: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=5, max_batch_size=131_072
    )
    await admin.start()
    await producer.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
        tenants = [new_id() for _ in range(TENANTS)]
        examples = [
            encode(message(f"+55119{number:08d}", WORDS, tenant=tenants[number % TENANTS]))
            for number in range(keys)
        ]
        for _ in range(records):
            example = random.choice(examples)
            await producer.send(
                topic,
                example.value,
                key=example.key.encode(),
                headers=[*example.headers, _traceparent()],
                partition=zlib.crc32(example.key.encode()) % PARTITIONS,
            )
        await producer.flush()
    finally:
        await producer.stop()
        await admin.close()


def _traceparent() -> tuple[str, bytes]:
    flags = SAMPLED if random.random() < SAMPLED_SHARE else UNSAMPLED
    trace, span = random.getrandbits(128), random.getrandbits(64)
    return "traceparent", f"00-{trace:032x}-{span:016x}-{flags}".encode()
