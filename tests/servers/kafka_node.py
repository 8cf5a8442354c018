"""One Kafka node, broker and controller in one process (KRaft), and what can befall it."""

import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import Server, run

READY_SECONDS = 50
METADATA_OF_NO_TOPIC = struct.pack(">hhihi", 3, 1, 0, -1, 0)  # key, version, id, client, topics


@dataclass(frozen=True)
class JavaRuntime:
    """How Kafka's classes are run."""

    java: str
    jars: Path
    heap: str = "384m"

    def command(self, folder: Path, main_class: str, *arguments: str) -> list[str]:
        """Serial collector and first compiler only: quick starts on few cores, for short lives.

        Libraries that Kafka unpacks go to `folder`: whoever is killed leaves them behind.
        """
        return [
            *(self.java, f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", f"-Djava.io.tmpdir={folder}"),
            *("-cp", f"{self.jars}/*"),
            *(main_class, *arguments),
        ]


class KafkaNode:
    """A node whose port and data stay the same over every stop, kill and start."""

    def __init__(self, runtime: JavaRuntime, folder: Path, *, host: str, port: int) -> None:
        self.port = port
        self._host = host
        self._runtime = runtime
        self._folder = folder
        self._server: Server | None = None

    def format(self, cluster_id: str, properties: Mapping[str, object], *users: str) -> None:
        """Write its configuration and prepare its empty log folder, before the first start."""
        self._folder.mkdir()
        own = {"log.dirs": self._folder / "data"}
        lines = [f"{name}={value}\n" for name, value in {**properties, **own}.items()]
        self._configuration.write_text("".join(lines))
        arguments = ["format", "-t", cluster_id, "-c", str(self._configuration), *users]
        run(self._runtime.command(self._folder, "kafka.tools.StorageTool", *arguments))

    def launch(self) -> None:
        """Start the process without waiting: nodes of one cluster wait for each other."""
        command = self._runtime.command(self._folder, "kafka.Kafka", str(self._configuration))
        self._server = Server(command, log=self._folder / "kafka.log")

    def wait_until_ready(self, *, brokers: int = 1) -> None:
        """Return once clients are served and `brokers` nodes are known here."""
        self._running.wait_until(
            lambda: brokers_known_at(self.port, self._host) >= brokers, seconds=READY_SECONDS
        )

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def stop(self) -> None:
        """End orderly, as a rolling restart does."""
        self._running.send(signal.SIGCONT)
        self._running.end(signal.SIGTERM)

    def kill(self) -> None:
        self._running.end(signal.SIGKILL)

    def hang(self) -> None:
        """Stop its clock: connections stay open and nothing answers."""
        self._running.send(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.send(signal.SIGCONT)

    def discard(self) -> None:
        """End for good, whatever state it is in."""
        if self._server is not None:
            self._server.end(signal.SIGKILL)

    @property
    def _configuration(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("this node was never started")
        return self._server


def start_all(nodes: Sequence[KafkaNode], *, brokers: int) -> None:
    """Start nodes of one cluster, which wait for each other; return once each knows `brokers`."""
    for node in nodes:
        node.launch()
    for node in nodes:
        node.wait_until_ready(brokers=brokers)


def brokers_known_at(port: int, host: str = "127.0.0.1") -> int:
    """Ask for metadata in Kafka's own protocol; 0 while nobody answers there."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            size = struct.pack(">i", len(METADATA_OF_NO_TOPIC))
            connection.sendall(size + METADATA_OF_NO_TOPIC)
            head = connection.makefile("rb").read(12)  # size, correlation id, number of brokers
            return int(struct.unpack(">iii", head)[2])
    except (OSError, struct.error):
        return 0
