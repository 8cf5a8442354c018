"""Recado as separate processes for tests: short waits, what they logged and what they believe."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import asyncpg

from tests.faults.rows import Rows, postgres_rows
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresDatabase
from tests.servers.stack import Addresses, Stack, prepare

CONTACT = "whatsapp:+5511999990001"

# The lease outlasts a call and every wait for the database; nothing else waits for long.
QUICK: Mapping[str, str] = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.1",
    "RECADO_DATABASE_BUSY_SECONDS": "2",
    "RECADO_JOBS_LEASE_SECONDS": "6",
    "RECADO_NOTIFIER_CALL_SECONDS": "4",
    "RECADO_NOTIFIER_CONNECT_SECONDS": "1",
    "RECADO_NOTIFIER_RECONCILE_FIRST_SECONDS": "2",
    "RECADO_NOTIFIER_RECONCILE_SECOND_SECONDS": "1",
    "RECADO_LOG_FORMAT": "json",
}


async def prepare_apart(database: PostgresDatabase, broker: KafkaCluster) -> Addresses:
    """Prepare a database, and topics of its own on a Kafka that is shared."""
    addresses = await prepare(database, broker)
    return replace(addresses, broker_url=f"{addresses.broker_url}/{database.name}")


def log_lines(services: Stack, name: str) -> list[dict[str, Any]]:
    lines = services.log(name).read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def statuses(services: Stack) -> list[int | None]:
    """What customers' webhooks were answered."""
    return [
        attempt["status_code"]
        for one in services.ledger()["inbound"]
        for attempt in one["attempts"]
    ]


async def fetch(database: PostgresDatabase, statement: str, *values: object) -> list[Any]:
    """Ask as the owner, whom no row-level security binds."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def rows_in(database: PostgresDatabase) -> Rows:
    return await postgres_rows(database.admin_url)
