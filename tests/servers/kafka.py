"""A Kafka cluster for tests: one node unless told otherwise."""

import base64
import os
import shutil
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.kafka_jars import find_jars
from tests.servers.kafka_node import JavaRuntime, KafkaNode, start_all
from tests.servers.processes import ServerMissingError, free_ports

ADDRESS = "RECADO_TEST_KAFKA"
MEBIBYTE = 1 << 20

# Seconds instead of the tens of seconds that production allows a node to be silent; a node that was
# killed is let in again only when its former self has timed out. On a machine under load a node may
# be silent for so long without any fault.
QUICK_FAILURE_DETECTION = {
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 4000,
    "controller.quorum.fetch.timeout.ms": 2000,
    "controller.quorum.election.timeout.ms": 1000,
}


@dataclass(frozen=True)
class Doors:
    """Further listeners of a single node, by Kafka's names of their security protocols."""

    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    properties: Mapping[str, object] = field(default_factory=dict[str, object])
    users: Sequence[str] = ()
    """Arguments with which the node's log folder is prepared."""

    def listeners(self) -> str:
        return "".join(f",{name}://127.0.0.1:{port}" for name, port in self.ports.items())

    def protocols(self) -> str:
        return "".join(f",{name}:{name}" for name in self.ports)


@dataclass(frozen=True)
class KafkaCluster:
    """Where Kafka is. `nodes` is empty when the environment gave the address: none is ours."""

    bootstrap: str
    nodes: Sequence[KafkaNode] = field(default=())


@contextmanager
def kafka() -> Generator[KafkaCluster]:
    """The cluster that the environment names, else one of our own for as long as this lasts."""
    if address := os.environ.get(ADDRESS):
        yield KafkaCluster(address)
        return
    with local_kafka() as cluster:
        yield cluster


@contextmanager
def local_kafka(
    *,
    nodes: int = 1,
    host: str = "127.0.0.1",
    doors: Doors | None = None,
    mortal: bool = False,
) -> Generator[KafkaCluster]:
    """A cluster of our own in any case; clients reach it at `host`, an address of this machine.

    A test that stops, kills or hangs nodes asks for `mortal` ones: their silence is noticed soon.
    """
    runtime = JavaRuntime(find_java(), find_jars())
    with TemporaryDirectory(prefix="recado-kafka-", ignore_cleanup_errors=True) as folder:
        members = _formatted(runtime, Path(folder), nodes, host, doors or Doors(), mortal=mortal)
        try:
            start_all(members, brokers=nodes)
            yield KafkaCluster(",".join(f"{host}:{node.port}" for node in members), members)
        finally:
            for node in members:
                node.discard()


def find_java() -> str:
    """Java 17 or newer, which Kafka 4 asks for."""
    java = shutil.which("java")
    if java is None:
        raise ServerMissingError(
            "Kafka needs Java 17: run `.venv/bin/python -m tests.servers install`, "
            f"or set {ADDRESS} to the address of a broker"
        )
    return java


def _formatted(
    runtime: JavaRuntime, folder: Path, count: int, host: str, doors: Doors, *, mortal: bool
) -> list[KafkaNode]:
    ports = free_ports(2 * count)
    client_ports, controller_ports = ports[:count], ports[count:]
    voters = ",".join(
        f"{number}@127.0.0.1:{port}" for number, port in enumerate(controller_ports, 1)
    )
    shared = _cluster_properties(count) | {
        "controller.quorum.voters": voters,
        "listener.security.protocol.map": (
            f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{doors.protocols()}"
        ),
        **doors.properties,
        **(QUICK_FAILURE_DETECTION if mortal else {}),
    }
    cluster_id = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    members: list[KafkaNode] = []
    for number, (port, controller_port) in enumerate(
        zip(client_ports, controller_ports, strict=True), 1
    ):
        node = KafkaNode(runtime, folder / f"node-{number}", host=host, port=port)
        clients = f"PLAINTEXT://{host}:{port}{doors.listeners()}"
        own = _node_properties(number, clients, controller_port)
        node.format(cluster_id, shared | own, *doors.users)
        members.append(node)
    return members


def _node_properties(number: int, clients: str, controller_port: int) -> dict[str, object]:
    return {
        "node.id": number,
        "listeners": f"{clients},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": clients,
    }


def _cluster_properties(nodes: int) -> dict[str, object]:
    copies = min(3, nodes)
    in_sync = max(1, copies - 1)
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "auto.create.topics.enable": "false",  # a misspelt topic must fail as in production
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8 * MEBIBYTE,
        "log.segment.bytes": 64 * MEBIBYTE,
        "controlled.shutdown.enable": str(nodes > 1).lower(),
    }
