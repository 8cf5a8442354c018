"""Kafka or Postgres is away, from the start or later: services wait, say so, and go on."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from common.testing import eventually
from tests.e2e.services import CONTACT, QUICK, log_lines, prepare_apart, statuses
from tests.servers.kafka import KafkaCluster
from tests.servers.loopback import gate
from tests.servers.postgres import PostgresDatabase
from tests.servers.stack import Stack, prepare, stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONSUMERS = ("processor", "notifier")
SERVICES = ("gateway", *CONSUMERS)
OTHER = "whatsapp:+5511999990002"


async def test_services_come_up_without_kafka_and_go_on_when_it_is_there(
    postgres_database: PostgresDatabase, own_kafka: KafkaCluster, tmp_path: Path
) -> None:
    addresses, (node,) = await prepare(postgres_database, own_kafka), own_kafka.nodes
    node.stop()

    with stack(addresses, tmp_path, variables=QUICK, wait=False) as services:
        sentence = f"kafka is away: no broker answers at {own_kafka.bootstrap}"
        await eventually(lambda: all_wait_for(services, sentence), within=40)
        services.write("Oi", contact=OTHER)
        await eventually(lambda: 503 in statuses(services), within=20)
        node.start()
        await eventually(lambda: all_are_ready(services), within=60)
        (reply,) = services.say("Vocês abrem domingo?", contact=CONTACT)

    assert "7h às 13h" in reply
    assert sentence in told(services, "gateway", "webhook answered", "reason")
    cause = sentence.removeprefix("kafka is away: ")
    for name in CONSUMERS:
        assert told(services, name, "consumer paused", "cause") == [cause], "told once"
        assert told(services, name, "consumer goes on", "level") == ["info"]


async def test_services_come_up_without_postgres_and_go_on_when_it_is_there(
    postgres_database: PostgresDatabase, kafka_server: KafkaCluster, tmp_path: Path
) -> None:
    addresses = await prepare_apart(postgres_database, kafka_server)
    there = urlsplit(addresses.database_url)

    async with gate(there.hostname or "", there.port or 0) as postgres:
        login = there.netloc.rpartition("@")[0]
        refused = there._replace(netloc=f"{login}@127.0.0.1:{postgres.port}").geturl()
        addresses = replace(addresses, database_url=refused)
        with stack(addresses, tmp_path, variables=QUICK, wait=False) as services:
            await eventually(lambda: all_wait_for(services, "postgres is away: "), within=40)
            services.write("Oi", contact=OTHER)
            await eventually(lambda: 503 in statuses(services), within=20)
            await postgres.open()
            await eventually(lambda: asyncio.to_thread(all_are_ready, services), within=60)
            (reply,) = await asyncio.to_thread(
                services.say, "Vocês abrem domingo?", contact=CONTACT
            )

    assert "7h às 13h" in reply
    assert "postgres is away" in str(told(services, "gateway", "webhook answered", "reason"))
    for name in CONSUMERS:
        (cause,) = told(services, name, "dependency away", "cause")
        assert "Connection refused" in cause
        assert told(services, name, "dependency back", "dependency") == ["postgres"]


async def test_a_gateway_without_its_broker_says_503_and_the_retry_is_taken(
    postgres_database: PostgresDatabase, own_kafka: KafkaCluster, tmp_path: Path
) -> None:
    addresses, (node,) = await prepare(postgres_database, own_kafka), own_kafka.nodes
    with stack(addresses, tmp_path, variables=QUICK) as services:
        services.say("Oi", contact=CONTACT)
        node.hang()
        services.write("Tem pão sem glúten?", contact=CONTACT)
        await eventually(lambda: 503 in statuses(services), within=20)
        assert services.missing("gateway")

        node.resume()

        await eventually(lambda: len(services.ledger()["creates"]) == 2, within=60)
        assert services.ledger()["inbound"][1]["accepted"]


def all_wait_for(services: Stack, sentence: str) -> bool:
    """Whether each service lives, is not ready, and says so in these words."""
    missing = [services.missing(name) or {} for name in SERVICES]
    return all(sentence in " ".join(reasons.values()) for reasons in missing)


def all_are_ready(services: Stack) -> bool:
    """Whether each is ready, having lived all the time: nobody starts it again."""
    assert not any(services.ended(name) for name in SERVICES)
    return all(services.missing(name) == {} for name in SERVICES)


def told(services: Stack, name: str, event: str, key: str) -> list[Any]:
    """What a service's log lines of an event say under a key; none of its own is an error."""
    lines = log_lines(services, name)
    assert [line for line in lines if line["level"] == "error"] == []
    return [line.get(key) for line in lines if line["event"] == event]
