import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from playwright.async_api import async_playwright

from tests.servers.kafka import KafkaCluster
from tests.servers.kafka_node import brokers_known_at
from tests.servers.postgres import PostgresDatabase


async def test_a_postgres_database_is_new_and_empty(postgres_database: PostgresDatabase) -> None:
    connection = await asyncpg.connect(postgres_database.admin_url)

    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    name = await connection.fetchval("SELECT current_database()")
    await connection.close()

    assert tables == 0
    assert name == postgres_database.name


async def test_a_serving_login_has_what_its_group_may_and_no_more(
    postgres_database: PostgresDatabase,
) -> None:
    group = f"{postgres_database.name}_group"
    admin = await asyncpg.connect(postgres_database.admin_url)
    await admin.execute(
        f"CREATE ROLE {group} NOLOGIN; CREATE TABLE open (); CREATE TABLE shut ();"
        f"GRANT SELECT ON open TO {group}"
    )

    serving = await asyncpg.connect(await postgres_database.add_serving_login(group=group))

    await serving.fetch("SELECT FROM open")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await serving.fetch("SELECT FROM shut")

    await serving.close()
    await admin.execute(f"DROP OWNED BY {group}; DROP ROLE {group}")
    await admin.close()


async def test_a_dropped_database_leaves_no_login_behind(
    postgres_database: PostgresDatabase,
) -> None:
    server = postgres_database.server
    database = await server.create_database()
    await database.add_serving_login(group="pg_monitor")

    await database.drop()

    connection = await asyncpg.connect(server.admin_url)
    left = await connection.fetchval(
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE $1", f"{database.name}%"
    )
    await connection.close()
    assert left == 0


async def test_kafka_gives_back_the_record_it_acknowledged(kafka_server: KafkaCluster) -> None:
    topic = await new_topic(kafka_server)

    await produce(kafka_server, topic, b"Bom dia")

    assert await consume_one(kafka_server, topic) == b"Bom dia"


async def test_kafka_keeps_its_records_over_a_kill(own_kafka: KafkaCluster) -> None:
    topic = await new_topic(own_kafka)
    await produce(own_kafka, topic, b"Bom dia")
    (node,) = own_kafka.nodes

    node.kill()
    assert brokers_known_at(node.port) == 0
    await asyncio.to_thread(node.start)

    assert await consume_one(own_kafka, topic) == b"Bom dia"


async def test_a_hung_node_answers_nobody_until_it_is_resumed(own_kafka: KafkaCluster) -> None:
    (node,) = own_kafka.nodes

    node.hang()
    hung = brokers_known_at(node.port)
    node.resume()
    node.wait_until_ready()

    assert hung == 0


async def test_chromium_shows_a_page(chromium_path: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path)
        page = await browser.new_page()

        await page.set_content("<h1>Recado</h1>")

        assert await page.inner_text("h1") == "Recado"
        await browser.close()


async def new_topic(cluster: KafkaCluster) -> str:
    topic = f"servers.{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()
    assert [error["error_code"] for error in answer.to_object()["topic_errors"]] == [0]
    return topic


async def produce(cluster: KafkaCluster, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap) as producer:
        await producer.send_and_wait(topic, value)


async def consume_one(cluster: KafkaCluster, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=cluster.bootstrap, auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(30):
        record = await consumer.getone()
        return record.value
