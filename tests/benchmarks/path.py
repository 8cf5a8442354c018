"""From a webhook's 200 to the call of Twilio, over Kafka and Postgres, with no burst window."""

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.figures import Figure, bars, keep, reported
from tests.benchmarks.processes import cpu_seconds
from tests.servers import kafka, postgres
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresServer
from tests.servers.stack import Addresses, Stack, prepare, stack

MESSAGES, A_SECOND, CONTACTS = 200, 8.0, 40
IDLE_SECONDS, IDLE_GOAL = 20.0, 1.0  # percent of a core
RECEIPTS_SECONDS = 3.0  # until the last reply's have been worked off
SERVICES = ("gateway", "processor", "notifier")
WITHOUT_WINDOW = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0",
    "RECADO_LOG_FORMAT": "json",
}


def main() -> None:
    """Measure, print, and write the figures down."""
    with (
        TemporaryDirectory(prefix="recado-bench-") as folder,
        postgres.postgres() as server,
        kafka.local_kafka() as broker,
    ):
        addresses = asyncio.run(_prepare(server, broker))
        with stack(addresses, Path(folder), variables=WITHOUT_WINDOW) as services:
            send(services, 40)  # warm: connections, their prepared statements, imports, caches
            idle, _ = cores(services, lambda: time.sleep(IDLE_SECONDS))
            used, seconds = cores(services, lambda: send(services, MESSAGES))
            waits = delays(services.ledger())[-MESSAGES:]
    cpu = {name: (used[name] - idle[name]) * seconds / MESSAGES * 1000 for name in SERVICES}
    ordered = sorted(waits)
    figures = [
        reported("end_to_end_p50_ms", statistics.median(ordered), unit="ms"),
        reported("end_to_end_p99_ms", ordered[int(len(ordered) * 0.99)], unit="ms"),
        *(reported(f"{name}_cpu_ms_per_message", cpu[name], unit="ms") for name in SERVICES),
        *(_at_rest(name, idle[name] * 100) for name in SERVICES),
    ]
    text = (
        f"{MESSAGES} messages of {CONTACTS} contacts, {A_SECOND:g} a second, all servers and "
        "services on the same two cores. CPU per message has the receipts of its reply in it, "
        "and not what the service uses anyway: that is `…_idle_percent`, of a core, over "
        f"{IDLE_SECONDS:g} s in which nobody writes.\n\n"
        + bars("CPU per message, receipts included", "ms", cpu)
    )
    keep("path", figures, text)


def cores(services: Stack, work: Callable[[], None]) -> tuple[dict[str, float], float]:
    """Shares of a core that each service used during `work`, and its seconds."""
    began = time.monotonic()
    before = {name: cpu_seconds(services.pid(name)) for name in SERVICES}
    work()
    used = {name: cpu_seconds(services.pid(name)) - before[name] for name in SERVICES}
    seconds = time.monotonic() - began
    return {name: used[name] / seconds for name in SERVICES}, seconds


def send(services: Stack, messages: int) -> None:
    """Write at a steady rate, and wait until every message has been answered at Twilio's door."""
    wanted = len(services.ledger()["creates"]) + messages
    for number in range(messages):
        services.write("Aceitam Pix?", contact=f"whatsapp:+55119999{number % CONTACTS:05d}")
        time.sleep(1 / A_SECOND)
    deadline = time.monotonic() + 60
    while len(services.ledger()["creates"]) < wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(RECEIPTS_SECONDS)


def delays(ledger: dict[str, Any]) -> list[float]:
    """Milliseconds from each message's 200 to the create of its reply, in order of arrival."""
    replies: dict[str, list[float]] = {}
    for create in ledger["creates"]:
        replies.setdefault(create["recipient"], []).append(create["at"])
    waits: list[float] = []
    for one in ledger["inbound"]:
        accepted = one["attempts"][-1]["at"] + one["attempts"][-1]["seconds"]
        answered = [at for at in replies.get(one["contact"], []) if at >= one["at"]]
        if answered:
            waits.append((answered[0] - accepted) * 1000)
    return waits


def _at_rest(name: str, percent: float) -> Figure:
    met = percent < IDLE_GOAL
    return Figure(f"{name}_idle_percent", percent, "%", goal=IDLE_GOAL, met=met)


async def _prepare(server: PostgresServer, broker: KafkaCluster) -> Addresses:
    return await prepare(await server.create_database(), broker)
