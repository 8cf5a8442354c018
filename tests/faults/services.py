"""A world in which the product is separate processes on Kafka and Postgres."""

import asyncio
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from tests.faults.kafka_records import KafkaAddress, remove_topics
from tests.faults.outages import OF_THREE_BROKERS, Outage
from tests.faults.plans import Plan
from tests.faults.rows import Rows, postgres_rows
from tests.faults.steps import Step
from tests.faults.victim import Orders
from tests.faults.work import Work, postgres_work
from tests.faults.world import QUICK
from tests.servers.kafka import KafkaCluster, local_kafka
from tests.servers.kafka_node import KafkaNode, start_all
from tests.servers.migrated import migrated_postgres
from tests.servers.postgres import PostgresDatabase, PostgresServer, local_postgres
from tests.servers.postgres_node import PostgresNode
from tests.servers.stack import Addresses, Stack, stack

# A lease outlasts a call and every wait for the database.
LEASES = {
    "RECADO_DATABASE_BUSY_SECONDS": "2",
    "RECADO_JOBS_LEASE_SECONDS": "6",
    "RECADO_BROKER_LEASE_SECONDS": "6",
    "RECADO_BROKER_PARTITIONS": "3",
}


@dataclass(frozen=True)
class Servers:
    """Where the product of a run finds Kafka and Postgres."""

    kafka: KafkaCluster
    postgres: PostgresServer
    database: PostgresNode


class Services:
    """See `World`."""

    processes = ("gateway", "processor", "notifier")

    def __init__(
        self, servers: Servers, database: PostgresDatabase, folder: Path, exits: ExitStack
    ) -> None:
        self._database = database
        self._folder = folder
        self._exits = exits
        kafka = servers.kafka
        self._broker = KafkaAddress(kafka.bootstrap, database.name)
        self._variables = {**QUICK, **LEASES, "RECADO_BROKER_REPLICATION": str(len(kafka.nodes))}
        self._stack: Stack | None = None
        killed = partial(_without_brokers, kafka, KafkaNode.kill)
        stopped = partial(_without_brokers, kafka, KafkaNode.stop)
        self.outages = {
            Outage.BROKER_KILLED: killed,
            Outage.BROKER_STOPPED: stopped,
            Outage.BROKER_HUNG: partial(_away, kafka.nodes[0].hang, kafka.nodes[0].resume),
            Outage.TWO_BROKERS_KILLED: killed,
            Outage.TWO_BROKERS_STOPPED: stopped,
            Outage.DATABASE_KILLED: partial(_away, servers.database.kill, servers.database.start),
            Outage.DATABASE_STOPPED: partial(_away, servers.database.stop, servers.database.start),
            Outage.DATABASE_READ_ONLY: partial(_read_only, servers.postgres.admin_url),
        }

    def start(self, step: Step | None, occasion: int) -> None:
        via = {name: Orders("kafka").command() for name in self.processes}
        if step is not None:
            via[step.service] = Orders.to_die_at("kafka", step, occasion).command()
        login = asyncio.run(self._database.add_serving_login())
        addresses = Addresses(self._broker.url, login, self._database.admin_url)
        opened = stack(addresses, self._folder, variables=self._variables, via=via)
        self._stack = self._exits.enter_context(opened)

    def restart(self, process: str) -> None:
        self._running.end(process, signal.SIGKILL)
        self._running.start(process, Orders("kafka").command())

    def process_of(self, step: Step) -> str:
        return step.service

    def exit_code(self, process: str) -> int | None:
        return self._running.exit_code(process)

    def say(self, contact: str, sender: str, text: str) -> None:
        self._running.write(text, contact=contact, sender=sender)

    def order_faults(self, plan: dict[str, Any]) -> None:
        self._running.order_faults(**plan)

    def ledger(self) -> dict[str, Any]:
        return self._running.ledger()

    def work(self) -> Work:
        return asyncio.run(postgres_work(self._database.admin_url, self._broker))

    def rows(self) -> Rows:
        return asyncio.run(postgres_rows(self._database.admin_url))

    def logs(self) -> Mapping[str, str]:
        return {name: self._running.log(name).read_text() for name in self.processes}

    def remove(self) -> None:
        """Leave nothing of this world on the servers, which go on."""
        asyncio.run(remove_topics(self._broker))
        asyncio.run(self._database.drop())

    @property
    def _running(self) -> Stack:
        if self._stack is None:
            raise RuntimeError("the product was never started")
        return self._stack


@contextmanager
def servers() -> Generator[Servers]:
    with local_kafka(mortal=True) as cluster, local_postgres() as postgres:
        # migrating is not for two threads at once; what the worlds get are copies
        asyncio.run(_migrate_once(postgres))
        if postgres.node is None:
            raise RuntimeError("a Postgres of our own has a node")
        yield Servers(cluster, postgres, postgres.node)


@contextmanager
def services(running: Servers, folder: Path, plan: Plan) -> Generator[Services]:
    """Open a world in an empty folder; nothing of it is left at the end."""
    database = asyncio.run(migrated_postgres(running.postgres))
    three = local_kafka(nodes=3, mortal=True)
    with three if plan.fault in OF_THREE_BROKERS else nullcontext(running.kafka) as cluster:
        with ExitStack() as exits:
            world = Services(replace(running, kafka=cluster), database, folder, exits)
            yield world
        world.remove()


async def _migrate_once(postgres: PostgresServer) -> None:
    await (await migrated_postgres(postgres)).drop()


@contextmanager
def _away(take: Callable[[], None], bring_back: Callable[[], None]) -> Generator[None]:
    take()
    try:
        yield
    finally:
        bring_back()


@contextmanager
def _without_brokers(kafka: KafkaCluster, end: Callable[[KafkaNode], None]) -> Generator[None]:
    """End the only one, or two of three: then no record finds its second copy."""
    ended = kafka.nodes[-2:]
    for node in ended:
        end(node)
    try:
        yield
    finally:
        start_all(ended, brokers=len(kafka.nodes))


@contextmanager
def _read_only(admin_url: str) -> Generator[None]:
    """As a standby is that has not been promoted yet."""
    asyncio.run(_configure(admin_url, "set default_transaction_read_only = on"))
    try:
        yield
    finally:
        asyncio.run(_configure(admin_url, "reset default_transaction_read_only"))


async def _configure(admin_url: str, what: str) -> None:
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(f"alter system {what}")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()
