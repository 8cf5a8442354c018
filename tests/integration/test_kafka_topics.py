"""Topics on a real Kafka: made safe, never changed, and refused where they may lose records."""

import os
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from zlib import crc32

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.broker.transport import Delivery, Transport
from common.errors import DependencyDown, PermanentError
from common.events import MESSAGES_RECEIVED, TOPICS, Record, encode
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import message
from tests.servers.kafka import KafkaCluster

PARTITIONS = 4
FINE = encode(message("+55111", "fine"))


async def test_topics_are_made_with_what_keeps_records_safe(kafka_server: KafkaCluster) -> None:
    settings = settings_for(kafka_server).model_copy(update={"retention_hours": 48})
    async with open_transport(settings) as transport:
        await transport.check()

    for topic in TOPICS:
        name = f"{prefix_of(settings)}.{topic.name}"
        assert await partitions_of(kafka_server, name) == PARTITIONS
        assert await setting_of(kafka_server, name, "retention.ms") == str(48 * 3600 * 1000)
        assert await setting_of(kafka_server, name, "unclean.leader.election.enable") == "false"


async def test_a_topic_that_stands_keeps_its_number_of_partitions(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server)
    await create_topic(kafka_server, received(settings))

    with structlog.testing.capture_logs() as logs:
        async with open_transport(settings) as transport:
            await transport.publish(FINE)

    (told,) = [entry for entry in logs if entry["event"] == "topic keeps its partitions"]
    assert (told["partitions"], told["configured"]) == (1, PARTITIONS)
    assert await partitions_of(kafka_server, received(settings)) == 1


async def test_a_key_s_partition_is_what_librdkafka_s_tools_compute_too(
    kafka_server: KafkaCluster,
) -> None:
    records = [replace(FINE, key=f"contact {number}") for number in range(20)]
    async with open_transport(settings_for(kafka_server)) as transport:
        for record in records:
            await transport.publish(record)

        partitions = await partitions_of_keys(transport, len(records))

    assert partitions == {one.key: crc32(one.key.encode()) % PARTITIONS for one in records}


async def test_partitions_that_somebody_added_are_used_after_a_check_and_told(
    kafka_server: KafkaCluster,
) -> None:
    settings, more = settings_for(kafka_server), 2 * PARTITIONS
    records = [replace(FINE, key=f"contact {number}") for number in range(20)]
    async with open_transport(settings) as transport:
        await transport.publish(FINE)
        await add_partitions(kafka_server, received(settings), more)

        with structlog.testing.capture_logs() as logs:
            await transport.check()
            await transport.check()
        for record in records:
            await transport.publish(record)
        partitions = await partitions_of_keys(transport, 1 + len(records))

    told = [entry for entry in logs if entry["event"] == "topic keeps its partitions"]
    assert [(entry["topic"], entry["partitions"]) for entry in told] == [(received(settings), more)]
    assert partitions == {
        FINE.key: crc32(FINE.key.encode()) % PARTITIONS,
        **{one.key: crc32(one.key.encode()) % more for one in records},
    }


async def test_a_topic_made_anew_with_fewer_partitions_is_away_and_then_used_as_it_is(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server)
    of_the_last = next(
        replace(FINE, key=key)
        for key in map(str, range(100))
        if crc32(key.encode()) % PARTITIONS == PARTITIONS - 1
    )
    async with open_transport(settings) as transport:
        await transport.publish(FINE)
        await delete_topic(kafka_server, received(settings))
        await create_topic(kafka_server, received(settings))

        with pytest.raises(DependencyDown):
            await transport.publish(of_the_last)
        await transport.check()
        await transport.publish(of_the_last)
        partitions = await partitions_of_keys(transport, 1)

    assert partitions == {of_the_last.key: 0}


async def test_more_copies_than_brokers_is_told_in_a_sentence(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server).model_copy(update={"replication": 3})
    async with open_transport(settings) as transport:
        with pytest.raises(DependencyDown, match=r"cannot be created.*only 1 broker"):
            await transport.publish(FINE)


async def test_outside_development_no_topic_is_made_that_may_lose_records(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server)
    async with open_transport(settings, strict=True) as transport:
        with pytest.raises(DependencyDown, match=r"may lose records: it keeps fewer than 3 copies"):
            await transport.publish(FINE)

    assert await partitions_of(kafka_server, received(settings)) == 0


async def test_outside_development_a_topic_that_may_lose_records_is_refused(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server)
    async with open_transport(settings) as lenient:
        await lenient.check()

    async with open_transport(settings, strict=True) as transport:
        with pytest.raises(DependencyDown, match="RECADO_BROKER_ACCEPT_UNSAFE=true"):
            await transport.check()


async def test_what_an_operator_accepts_is_used_and_told(kafka_server: KafkaCluster) -> None:
    settings = settings_for(kafka_server).model_copy(update={"accept_unsafe": True})
    with structlog.testing.capture_logs() as logs:
        async with open_transport(settings, strict=True) as transport:
            await transport.publish(FINE)

    told = {entry["topic"] for entry in logs if entry["event"] == "topic may lose records"}
    assert told == {f"{prefix_of(settings)}.{topic.name}" for topic in TOPICS}


async def test_a_record_over_its_topics_limit_is_refused_before_it_is_sent(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server)
    await create_topic(kafka_server, received(settings), **{"max.message.bytes": "20000"})
    async with open_transport(settings) as transport:
        with pytest.raises(PermanentError, match=r"of 5\d{4} bytes .* is the limit"):
            await transport.publish(incompressible(50_000))
        await transport.publish(incompressible(10_000))


async def test_a_record_that_the_broker_refuses_does_not_spoil_those_after_it(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server).model_copy(update={"partitions": 1})
    async with open_transport(settings) as transport:
        publisher = publisher_on(transport)
        await publisher.publish_record(FINE)
        await set_limit(kafka_server, received(settings), "20000")

        await eventually(lambda: refuses_50_000_bytes(publisher), within=20)

        for _ in range(3):
            await publisher.publish_record(FINE)


async def test_records_that_the_broker_deleted_before_they_were_read_are_told_of(
    kafka_server: KafkaCluster,
) -> None:
    settings = settings_for(kafka_server).model_copy(update={"partitions": 1})
    async with open_transport(settings) as transport:
        for _ in range(3):
            await transport.publish(FINE)
        await read_one(transport)
        async with administering(kafka_server) as admin:
            await admin.delete_records({TopicPartition(received(settings), 0): RecordsToDelete(3)})
        await transport.publish(FINE)

        with structlog.testing.capture_logs() as logs:
            late = await read_one(transport)

    assert late.record_id.startswith("0/3@")
    (told,) = [line for line in logs if line["event"] == "records gone before they were read"]
    assert told["log_level"] == "error"
    assert received(settings) in told["said"]


async def read_one(transport: Transport) -> Delivery:
    async def revoked(shards: Collection[str]) -> None:
        del shards

    async with transport.subscribe("reader", [MESSAGES_RECEIVED], revoked) as subscription:
        (delivery,) = await eventually(lambda: subscription.fetch(1), within=30.0)
        await subscription.acknowledge([delivery])
        await subscription.flush()
    return delivery


def settings_for(cluster: KafkaCluster) -> BrokerSettings:
    return BrokerSettings(url=f"kafka://{cluster.bootstrap}/{new_id()}", partitions=PARTITIONS)


def prefix_of(settings: BrokerSettings) -> str:
    return settings.url.rpartition("/")[2]


def received(settings: BrokerSettings) -> str:
    return f"{prefix_of(settings)}.{FINE.topic}"


def incompressible(size: int) -> Record:
    return replace(FINE, value=os.urandom(size))


async def refuses_50_000_bytes(publisher: Publisher) -> bool:
    try:
        await publisher.publish_record(incompressible(50_000))
    except PermanentError as error:
        return "takes no record of 50000 bytes" in str(error)
    return False


def publisher_on(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))


@asynccontextmanager
async def administering(cluster: KafkaCluster) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create_topic(cluster: KafkaCluster, name: str, **configuration: str) -> None:
    async with administering(cluster) as admin:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configuration)])


async def add_partitions(cluster: KafkaCluster, name: str, count: int) -> None:
    async with administering(cluster) as admin:
        await admin.create_partitions({name: NewPartitions(count)})
    await eventually(lambda: has_partitions(cluster, name, count))


async def delete_topic(cluster: KafkaCluster, name: str) -> None:
    async with administering(cluster) as admin:
        await admin.delete_topics([name])
    await eventually(lambda: has_partitions(cluster, name, 0))


async def has_partitions(cluster: KafkaCluster, name: str, count: int) -> bool:
    return await partitions_of(cluster, name) == count


async def set_limit(cluster: KafkaCluster, name: str, limit: str) -> None:
    async with administering(cluster) as admin:
        changed = {"max.message.bytes": limit}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changed)])


async def partitions_of_keys(transport: Transport, count: int) -> dict[str, int]:
    """Read so many records; tell which key was in which partition."""

    async def nothing_to_let_go_of(_shards: object) -> None: ...

    found: dict[str, int] = {}
    async with transport.subscribe(
        MESSAGES_RECEIVED.consumer, [MESSAGES_RECEIVED], nothing_to_let_go_of
    ) as subscription:

        async def all_found() -> bool:
            for delivery in await subscription.fetch(count):
                found[delivery.record.key] = int(delivery.shard.rpartition("/")[2])
            return len(found) == count

        await eventually(all_found, within=20)
    return found


async def partitions_of(cluster: KafkaCluster, name: str) -> int:
    async with administering(cluster) as admin:
        (topic,) = await admin.describe_topics([name])
        return len(topic["partitions"])


async def setting_of(cluster: KafkaCluster, name: str, setting: str) -> str:
    async with administering(cluster) as admin:
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, {setting: ""})]
        )
        (resource,) = answer.to_object()["resources"]
        (entry,) = resource["config_entries"]
        return entry["config_value"]
