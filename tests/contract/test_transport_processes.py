"""What the engine promises where three processes consume and one of them stops, dies or leaves."""

import asyncio
import signal
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import message
from tests.contract.consumer_process import start_consumer
from tests.contract.history import (
    History,
    Line,
    Message,
    finished,
    held,
    most_at_once,
    needless,
    overlapped,
    processes,
)
from tests.servers.kafka import KafkaCluster, local_kafka
from tests.servers.processes import Server, ending_on_sigterm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

WITHIN = 60.0
PACE_SECONDS = 0.5
KAFKA_LEASE_SECONDS = 6.0
"""The shortest that a Kafka broker grants."""
CONTACTS = [f"+5511{number}" for number in range(60)]


class Consumers:
    """Processes that consume from one broker, and what they wrote down together."""

    def __init__(self, settings: BrokerSettings, folder: Path, exits: ExitStack) -> None:
        self.settings = settings
        self._folder = folder
        self._exits = exits
        self._history = History(folder / "history")
        self._servers: dict[str, Server] = {}
        self.published: list[Message] = []

    async def publish(self, each: int) -> None:
        """Publish so many messages of each contact, numbered on; one after the other."""
        first = len(self.published) // len(CONTACTS)
        async with open_transport(self.settings) as transport:
            publisher = Publisher(transport, Metrics(CollectorRegistry()))
            for number in range(first, first + each):
                for contact in CONTACTS:
                    await publisher.publish(message(contact, f"{number}"))
                    self.published.append((contact, number))

    async def take_part(self, *names: str) -> None:
        """Start them, publish until each has its share, and then some more."""
        for name in names:
            self._servers[name] = start_consumer(name, self.settings, self._folder)
            self._exits.callback(self._servers[name].end, signal.SIGKILL)
        async with asyncio.timeout(WITHIN):
            while not processes(self.lines()) >= set(names):
                ended = [name for name in names if self._servers[name].ended]
                assert ended == [], (self._folder / f"{ended[0]}.log").read_text()
                await self.publish(each=1)
                await asyncio.sleep(PACE_SECONDS)
        await self.publish(each=3)

    async def stop_in_its_handlers(self, name: str) -> set[Message]:
        """Stop it where it holds messages, and not the file's lock, which all others need."""
        async with asyncio.timeout(WITHIN):
            while True:
                await self.publish(each=1)
                self.send(name, signal.SIGSTOP)
                taken = held(self.lines(), name)
                if taken and self._file_is_free():
                    return taken
                self.send(name, signal.SIGCONT)

    def _file_is_free(self) -> bool:
        """Whether others can write: at once, or their leases would run out meanwhile too."""
        if self.settings.url.startswith("kafka:"):
            return True
        file = self.settings.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=0.3)) as other:
            try:
                other.execute("begin immediate")
            except sqlite3.OperationalError:
                return False
        return True

    def warnings(self) -> str:
        """What the processes said that may explain a repetition."""
        said = "\n".join(log.read_text() for log in self._folder.glob("*.log")).splitlines()
        return "\n".join(line for line in said if "[warning" in line or "too late" in line)

    def send(self, name: str, number: signal.Signals) -> None:
        self._servers[name].send(number)

    async def end(self, name: str) -> int | None:
        """End it as Kubernetes would, and return its exit code."""
        await asyncio.to_thread(self._servers[name].end, signal.SIGTERM)
        return self._servers[name].exit_code

    def lines(self) -> list[Line]:
        return self._history.lines()

    async def all_is_done(self) -> list[Line]:
        """Wait for everything that was published; fail with what never came."""
        with suppress(AssertionError):
            await eventually(lambda: not self._missing(), within=WITHIN)
        assert self._missing() == set()
        return self.lines()

    def _missing(self) -> set[Message]:
        return set(self.published) - set(finished(self.lines()))

    def shard_of(self, contact: str) -> object:
        """What is acknowledged in order: a partition of Kafka, a key elsewhere."""
        if not self.settings.url.startswith("kafka:"):
            return contact
        key = message(contact).payload.key.encode()
        return zlib.crc32(key) % self.settings.partitions


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def consumers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Consumers]:
    if request.param == "kafka":
        cluster = request.getfixturevalue("kafka_server")
        url = f"kafka://{cluster.bootstrap}/{new_id()}"
        settings = BrokerSettings(url=url, partitions=6, lease_seconds=KAFKA_LEASE_SECONDS)
    else:
        settings = BrokerSettings(url=f"sqlite:///{tmp_path / 'broker.db'}", lease_seconds=3.0)
    with ExitStack() as exits:
        yield Consumers(settings, tmp_path, exits)


@pytest.fixture
def three_brokers() -> Iterator[KafkaCluster]:
    with ending_on_sigterm(), local_kafka(nodes=3) as cluster:
        yield cluster


async def test_a_process_that_was_stopped_past_its_lease_takes_nothing_from_the_others(
    consumers: Consumers,
) -> None:
    await stop_one_and_go_on(consumers)


@pytest.mark.kafka
async def test_it_takes_nothing_from_the_others_where_kafka_has_three_brokers(
    three_brokers: KafkaCluster, tmp_path: Path
) -> None:
    url = f"kafka://{three_brokers.bootstrap}"
    settings = BrokerSettings(
        url=url, partitions=6, replication=3, lease_seconds=KAFKA_LEASE_SECONDS
    )
    with ExitStack() as exits:
        await stop_one_and_go_on(Consumers(settings, tmp_path, exits))


async def stop_one_and_go_on(consumers: Consumers) -> None:
    await consumers.take_part("first", "second", "stopped")

    taken = await consumers.stop_in_its_handlers("stopped")
    await eventually(lambda: taken_over(consumers.lines(), taken), within=WITHIN)
    consumers.send("stopped", signal.SIGCONT)
    await consumers.publish(each=3)
    lines = await consumers.all_is_done()

    assert in_order(lines)
    assert overlapped(lines, apart_from="stopped") == set()
    assert most_at_once(lines) > 4, "keys are handled in parallel, in several processes"
    again = needless(lines, consumers.published, consumers.shard_of, apart_from="stopped")
    assert again == [], consumers.warnings()


def taken_over(lines: list[Line], taken: set[Message]) -> bool:
    """Whether another process began what the stopped one had."""
    return any(line.message in taken and line.process != "stopped" for line in lines)


async def test_what_a_killed_process_held_is_handled_by_the_others_and_nothing_is_lost(
    consumers: Consumers,
) -> None:
    await consumers.take_part("first", "second", "killed")

    await consumers.stop_in_its_handlers("killed")
    consumers.send("killed", signal.SIGKILL)
    lines = await consumers.all_is_done()

    assert in_order(lines)
    assert overlapped(lines, apart_from="killed") == set()
    again = needless(lines, consumers.published, consumers.shard_of, apart_from="killed")
    assert again == [], consumers.warnings()


async def test_processes_join_and_leave_while_handlers_run_and_nothing_comes_again_needlessly(
    consumers: Consumers,
) -> None:
    await consumers.take_part("leaves")
    await consumers.take_part("first", "second")

    left = await consumers.end("leaves")
    drained = held(consumers.lines(), "leaves")
    await consumers.publish(each=2)
    lines = await consumers.all_is_done()

    assert left == 0
    assert drained == set(), "what it had begun it finished"
    assert in_order(lines)
    assert overlapped(lines) == set()
    again = needless(lines, consumers.published, consumers.shard_of)
    assert again == [], consumers.warnings()


def in_order(lines: list[Line]) -> bool:
    """Whether the messages of each contact were first finished in the order they were sent."""
    by_contact: dict[str, list[int]] = {}
    for contact, number in finished(lines):
        by_contact.setdefault(contact, []).append(number)
    return all(numbers == sorted(numbers) for numbers in by_contact.values())
