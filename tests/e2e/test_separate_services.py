"""The services as separate processes, over real Kafka and Postgres."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from common.events import MESSAGES_RECEIVED, TOPICS
from common.ids import parse_id
from common.testing import eventually
from processor import sample
from processor.conversation.rules import REPLIED
from recado.development import SENDERS
from tests.e2e.makefile import make_would_run
from tests.e2e.services import (
    CONTACT,
    QUICK,
    fetch,
    log_lines,
    prepare_apart,
    rows_in,
)
from tests.faults.judge import judge
from tests.servers import kafka, postgres
from tests.servers.collector import Collector, collector
from tests.servers.kafka import KafkaCluster
from tests.servers.loopback import status_of
from tests.servers.postgres import PostgresDatabase, PostgresServer
from tests.servers.processes import Server
from tests.servers.stack import Stack, stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

OTHERS = ("whatsapp:+5511999990002", "whatsapp:+5511999990003")


@pytest.fixture
def spans() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture
def burst_seconds() -> str:
    return QUICK["RECADO_PROCESSOR_BURST_WINDOW_SECONDS"]


@pytest.fixture
async def services(
    postgres_database: PostgresDatabase,
    kafka_server: KafkaCluster,
    spans: Collector,
    tmp_path: Path,
    burst_seconds: str,
) -> AsyncIterator[Stack]:
    addresses = await prepare_apart(postgres_database, kafka_server)
    variables = {
        **QUICK,
        "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": burst_seconds,
        "RECADO_TRACING_ENDPOINT": spans.endpoint,
        "RECADO_TRACING_RATIO": "1",
    }
    with stack(addresses, tmp_path, variables=variables) as running:
        yield running


async def test_one_correlation_id_is_found_from_the_webhook_to_the_receipt(
    services: Stack,
    postgres_database: PostgresDatabase,
    kafka_server: KafkaCluster,
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
    prefix = f"{postgres_database.name}."
    assert await correlations_of_records(kafka_server, prefix) == {
        prefix + topic.name: {correlation} for topic in TOPICS
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


@pytest.mark.parametrize("burst_seconds", ["2"])
async def test_a_processor_killed_before_its_turn_and_a_notifier_killed_in_its_calls_lose_nothing(
    services: Stack, postgres_database: PostgresDatabase
) -> None:
    once = {"next": 1}
    services.order_faults(create={"timeout_after_accept": once, "timeout_before_accept": once})
    for contact in OTHERS:
        services.write("Aceitam Pix?", contact=contact)
    await eventually(lambda: len(services.ledger()["creates"]) == 2, within=30)
    services.write("Vocês abrem domingo?", contact=CONTACT)
    await eventually(lambda: received(postgres_database, 3), within=30)

    for name in ("processor", "notifier"):
        services.end(name, signal.SIGKILL)
    held = await rows_in(postgres_database)
    for name in ("processor", "notifier"):
        services.start(name)
    await eventually(lambda: replies_delivered(postgres_database, 3), within=90)

    assert list(held.states.elements()) == ["claimed", "claimed"], "both calls were in the air"
    assert list(held.outcomes.values()).count(None) == 1, "a turn was due"
    rows, ledger = await rows_in(postgres_database), services.ledger()
    accepted = [one["part"] for one in ledger["creates"] if one["message_sid"]]
    assert len(accepted) == len(set(accepted)) == 3
    assert list(rows.outcomes.values()) == [REPLIED] * 3
    assert not judge(ledger, rows).broken


async def test_a_record_that_nobody_can_read_becomes_a_dead_letter_and_its_key_goes_on(
    services: Stack, postgres_database: PostgresDatabase, kafka_server: KafkaCluster
) -> None:
    services.say("Oi", contact=CONTACT)
    key = f"{sample.ACCOUNT}|{SENDERS[0]}|{CONTACT}".encode()

    async with AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap) as by_hand:
        topic = f"{postgres_database.name}.{MESSAGES_RECEIVED.name}"
        await by_hand.send_and_wait(topic, b"\xff\x00 not JSON", key=key)

    assert services.say("Do you deliver?", contact=CONTACT)
    (letter,) = await fetch(
        postgres_database, "select key, tenant_id, reason, value from processor_dead_letters"
    )
    assert tuple(letter) == (key.decode(), None, "undecodable", b"\xff\x00 not JSON")


def test_make_run_kafka_starts_all_of_it_and_ctrl_c_ends_it(
    postgres_server: PostgresServer, kafka_server: KafkaCluster, tmp_path: Path
) -> None:
    addresses = {
        postgres.ADDRESS: postgres_server.admin_url,
        kafka.ADDRESS: kafka_server.bootstrap,
    }
    command = make_would_run("run-kafka", PORT=six_free_ports_in_a_row(), DATA=tmp_path)
    log, data = tmp_path / "run-kafka.log", tmp_path / "kafka"
    running = Server(command, log=log, environ={**os.environ, **addresses})
    try:
        running.wait_until(lambda: "Recado runs" in log.read_text(), seconds=60)
        phone = json.loads((data / "dev.json").read_text())["simulator_url"] + "/phone"
        shown = status_of(phone)
        said = recado("say", "Vocês abrem domingo?", "--data", str(data))
    finally:
        running.end(signal.SIGINT)

    assert shown == 200
    assert "7h às 13h" in said
    assert running.exit_code == 0
    assert status_of(phone) is None


def recado(*arguments: str) -> str:
    command = [sys.executable, "-m", "recado", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def six_free_ports_in_a_row() -> int:
    """The first of them, below those that the system gives away by itself."""
    while True:
        first = random.randrange(20000, 30000)
        with ExitStack() as bound, suppress(OSError):
            for port in range(first, first + 6):
                bound.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


async def received(database: PostgresDatabase, count: int) -> bool:
    return len((await rows_in(database)).outcomes) == count


async def replies_delivered(database: PostgresDatabase, count: int) -> bool:
    """Whether the processor knows of so many replies that they reached their contacts."""
    statement = (
        "select distinct message_id from reply_deliveries where status in ('delivered', 'read')"
    )
    return len(await fetch(database, statement)) == count


def lines_of(services: Stack, name: str, correlation: str) -> list[str]:
    return [
        line["event"]
        for line in log_lines(services, name)
        if line.get("correlation_id") == correlation
    ]


def services_of(spans: Collector, correlation: str) -> set[str] | None:
    """The services whose spans carry the id, once all three have sent theirs."""
    found = {span.service for span in spans.of_correlation(correlation)}
    return found if len(found) == 3 else None


async def correlations_of_records(kafka: KafkaCluster, prefix: str) -> dict[str, set[str]]:
    """The correlation ids in the headers of all records, by topic."""
    found: dict[str, set[str]] = {}
    consumer = AIOKafkaConsumer(
        *(prefix + topic.name for topic in TOPICS),
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
    carrying = "select from {} where correlation_id = $1"
    wanted = parse_id(correlation).to_uuid()
    return {
        table: len(await fetch(database, carrying.format(table), wanted))
        for table in ("messages", "sends")
    }
