"""The services as separate processes, over real Kafka and Postgres."""

import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from common.events import TOPICS
from common.ids import parse_id
from common.testing import eventually
from tests.servers.collector import Collector, collector
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresDatabase
from tests.servers.stack import Stack, prepare, stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONTACT = "whatsapp:+5511999990001"
QUICK = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.1",
    "RECADO_JOBS_LEASE_SECONDS": "12",
    "RECADO_LOG_FORMAT": "json",
}


@pytest.fixture
def spans() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture
async def services(
    postgres_database: PostgresDatabase,
    own_kafka: KafkaCluster,
    spans: Collector,
    tmp_path: Path,
) -> AsyncIterator[Stack]:
    addresses = await prepare(postgres_database, own_kafka)
    tracing = {"RECADO_TRACING_ENDPOINT": spans.endpoint, "RECADO_TRACING_RATIO": "1"}
    with stack(addresses, tmp_path, variables=QUICK | tracing) as running:
        yield running


def log_lines(services: Stack, name: str) -> list[dict[str, Any]]:
    lines = services.log(name).read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def lines_of(services: Stack, name: str, correlation: str) -> list[str]:
    return [
        line["event"]
        for line in log_lines(services, name)
        if line.get("correlation_id") == correlation
    ]


async def test_one_correlation_id_is_found_from_the_webhook_to_the_receipt(
    services: Stack,
    postgres_database: PostgresDatabase,
    own_kafka: KafkaCluster,
    spans: Collector,
) -> None:
    reply = services.say("Vocês abrem domingo?", contact=CONTACT)
    assert "7h às 13h" in reply[0]
    correlation: str = services.ledger()["creates"][0]["correlation"]

    recorded = "delivery recorded"
    await eventually(
        lambda: lines_of(services, "processor", correlation).count(recorded) >= 3, within=30
    )
    assert lines_of(services, "gateway", correlation)[0] == "webhook answered"
    assert "message received" in lines_of(services, "processor", correlation)
    assert "part accepted" in lines_of(services, "notifier", correlation)
    assert await rows_of(postgres_database, correlation) == {"messages": 2, "sends": 1}
    assert await correlations_of_records(own_kafka) == {
        topic.name: {correlation} for topic in TOPICS
    }
    followed = await eventually(lambda: services_of(spans, correlation), within=30)
    assert followed == {"recado-gateway", "recado-processor", "recado-notifier"}


async def test_services_drain_on_sigterm_and_go_on_where_they_stopped(services: Stack) -> None:
    services.say("Oi", contact=CONTACT)

    for name in ("gateway", "processor", "notifier"):
        services.end(name, signal.SIGTERM)
        assert log_lines(services, name)[-1]["event"] == "stopped"
        services.start(name)
        services.wait_until_ready(name)

    assert services.say("Do you deliver?", contact=CONTACT)


async def test_a_killed_processor_and_notifier_lose_nothing(services: Stack) -> None:
    for name in ("processor", "notifier"):
        services.end(name, signal.SIGKILL)
    services.write("Aceitam Pix?", contact=CONTACT)
    await eventually(lambda: services.ledger()["inbound"][0]["accepted"], within=15)

    for name in ("processor", "notifier"):
        services.start(name)

    await eventually(lambda: services.ledger()["creates"], within=60)
    assert Counter(one["part"] for one in services.ledger()["creates"]).most_common(1)[0][1] == 1


async def test_a_gateway_without_its_broker_says_503_and_the_retry_is_taken(
    services: Stack, own_kafka: KafkaCluster
) -> None:
    services.say("Oi", contact=CONTACT)
    own_kafka.nodes[0].hang()
    services.write("Tem pão sem glúten?", contact=CONTACT)
    await eventually(lambda: 503 in statuses(services), within=20)
    assert services.readiness("gateway") == 503

    own_kafka.nodes[0].resume()

    await eventually(lambda: len(services.ledger()["creates"]) == 2, within=60)
    assert services.ledger()["inbound"][1]["accepted"]


def statuses(services: Stack) -> list[int | None]:
    return [
        attempt["status_code"]
        for one in services.ledger()["inbound"]
        for attempt in one["attempts"]
    ]


def services_of(spans: Collector, correlation: str) -> set[str] | None:
    """The services whose spans carry the id, once all three have sent theirs."""
    found = {span.service for span in spans.of_correlation(correlation)}
    return found if len(found) == 3 else None


async def correlations_of_records(kafka: KafkaCluster) -> dict[str, set[str]]:
    """The correlation ids in the headers of all records, by topic."""
    found: dict[str, set[str]] = {}
    consumer = AIOKafkaConsumer(
        *(topic.name for topic in TOPICS),
        bootstrap_servers=kafka.bootstrap,
        auto_offset_reset="earliest",
    )
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        for _ in range(sum(ends.values())):
            record = await consumer.getone()
            headers = dict(record.headers)
            found.setdefault(record.topic, set()).add(headers["ce_correlationid"].decode())
    return found


async def rows_of(database: PostgresDatabase, correlation: str) -> dict[str, int]:
    """How many rows of each table carry the correlation id."""
    connection = await asyncpg.connect(database.admin_url)
    counts = {
        table: await connection.fetchval(
            f"select count(*) from {table} where correlation_id = $1",
            parse_id(correlation).to_uuid(),
        )
        for table in ("messages", "sends")
    }
    await connection.close()
    return counts
