"""A consumer that does not get on is seen: by its liveness, in the log, and in its figures."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.typing import EventDict

from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.handling import EventHandler
from common.broker.engine.limits import Limits
from common.broker.engine.retry import RetryPolicy
from common.broker.transport import Delivery
from common.errors import DependencyDown, RetryAfter
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, Event, encode
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing.broker import message
from tests.unit.common.simulated_broker import HaltsInMemory, LettersInMemory, Partitions, Switch
from tests.unit.common.simulated_loop import SimulatedLoop

SETTINGS = BrokerSettings(slow_seconds=30.0, stall_seconds=60.0)
TOPIC = MESSAGES_RECEIVED.name


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    loop = SimulatedLoop()
    yield loop
    loop.close()


class Backlogged(Partitions):
    """Knows of records that it does not hand out."""

    def __init__(self) -> None:
        super().__init__(lambda _delivery: None)
        self.behind = 0
        self.deaf = False
        """It takes no acknowledgement."""
        self.kept_back_for = 0.0

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self.deaf:
            raise DependencyDown("broker", "no answer")
        await super().acknowledge(deliveries)

    async def waiting(self) -> Mapping[str, int]:
        return {TOPIC: self.behind}

    def unsettled_seconds(self) -> float:
        return self.kept_back_for


class Consumer:
    """An engine at work in a simulated loop."""

    def __init__(self, loop: SimulatedLoop, handler: EventHandler) -> None:
        self.loop = loop
        self.broker = Backlogged()
        database = Switch("postgres")
        self.halts = HaltsInMemory(database)
        self.metrics = Metrics(CollectorRegistry())
        self.engine = Engine(
            self.broker,
            "processor",
            {MESSAGES_RECEIVED: handler, DELIVERIES_UPDATED: handler},
            dead_letters=LettersInMemory(database, self.halts),
            halts=self.halts,
            policy=RetryPolicy(attempts=9, first=1.0, longest=1.0, budget=3600.0),
            limits=Limits.of(SETTINGS, drain_seconds=1.0),
            conditions=Conditions.of(SETTINGS),
            metrics=self.metrics,
        )
        self.stop = asyncio.Event()
        self.task = loop.create_task(self.engine.run(self.stop))

    def after(self, seconds: float) -> str | None:
        """Return what liveness says then."""
        self.loop.do(asyncio.sleep(seconds))
        return self.loop.do(self.engine.alive())

    def end(self) -> None:
        self.stop.set()
        self.loop.run_until_complete(self.task)

    def shown(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def start(loop: SimulatedLoop, handler: EventHandler, *, records: int = 1) -> Consumer:
    consumer = Consumer(loop, handler)
    for number in range(records):
        loop.do(consumer.broker.publish(encode(message(f"+{number}"))))
    return consumer


async def hang(_event: Event[Any]) -> None:
    await asyncio.Event().wait()


async def nothing(_event: Event[Any]) -> None: ...


def test_a_consumer_that_has_work_and_settles_none_for_too_long_is_not_alive(
    loop: SimulatedLoop,
) -> None:
    consumer = start(loop, hang)

    said = [consumer.after(50.0), consumer.after(20.0)]
    consumer.end()

    assert said == [None, "no record settled for 70 s, and 1 held"]


def test_a_consumer_that_has_nothing_to_do_is_alive(loop: SimulatedLoop) -> None:
    consumer = start(loop, nothing)

    assert consumer.after(3600.0) is None
    consumer.end()


def test_a_reader_that_hears_nothing_although_records_wait_is_not_alive(
    loop: SimulatedLoop,
) -> None:
    consumer = start(loop, nothing, records=0)
    consumer.broker.behind = 3

    assert consumer.after(120.0) == "no record settled for 120 s, and 0 held"
    consumer.end()


def test_a_paused_consumer_is_alive_and_has_its_time_again_afterwards(loop: SimulatedLoop) -> None:
    away, handled = True, list[Event[Any]]()

    async def need_it(event: Event[Any]) -> None:
        if away:
            raise DependencyDown("postgres", "connection refused")
        if handled:
            await hang(event)
        handled.append(event)

    consumer = start(loop, need_it, records=2)
    paused = consumer.after(500.0)
    away = False
    said = [consumer.after(50.0), consumer.after(60.0) is None]
    consumer.end()

    assert paused is None
    assert said == [None, False]


def test_a_consumer_has_its_time_again_after_the_broker_was_away(loop: SimulatedLoop) -> None:
    consumer = start(loop, nothing, records=0)
    consumer.broker.behind = 3
    consumer.after(30.0)

    consumer.broker.switch.away = True
    meanwhile = consumer.after(500.0)
    consumer.broker.switch.away = False
    afterwards = [consumer.after(40.0), consumer.after(60.0) is None]
    consumer.end()

    assert meanwhile is None
    assert afterwards == [None, False]


def test_a_halted_consumer_is_alive(loop: SimulatedLoop) -> None:
    consumer = Consumer(loop, hang)
    consumer.halts.halted = "by hand"
    loop.do(consumer.broker.publish(encode(message("+1"))))
    consumer.broker.behind = 1

    assert consumer.after(500.0) is None
    consumer.end()


def test_a_record_that_only_rests_is_no_standstill(loop: SimulatedLoop) -> None:
    async def busy(_event: Event[Any]) -> None:
        raise RetryAfter("the other side is busy", 200.0)

    consumer = start(loop, busy)

    assert consumer.after(150.0) is None
    consumer.end()


def test_a_handler_that_takes_long_is_reported_once_with_its_stack(
    loop: SimulatedLoop, logs: list[EventDict]
) -> None:
    consumer = start(loop, hang)
    consumer.after(100.0)
    consumer.end()

    (told,) = [entry for entry in logs if entry["event"] == "handler takes long"]
    assert told["seconds"] >= 30.0
    assert told["topic"] == TOPIC
    assert "in hang" in told["stack"]
    assert told["stack"].rstrip().endswith("await fut")


def test_lag_is_what_is_held_and_what_is_yet_to_come(loop: SimulatedLoop) -> None:
    consumer = start(loop, hang, records=3)
    consumer.broker.behind = 40
    consumer.after(10.0)

    lag = consumer.shown("recado_lag_records", topic=TOPIC)
    age = consumer.shown("recado_lag_seconds", topic=TOPIC)
    consumer.end()

    assert lag == 43
    assert age is not None
    assert age > 0


def test_the_age_of_what_the_broker_was_not_told_of_is_shown(loop: SimulatedLoop) -> None:
    consumer = start(loop, nothing)
    consumer.broker.deaf = True
    consumer.after(20.0)

    age = consumer.shown("recado_commit_age_seconds", group="processor")
    consumer.broker.deaf = False
    consumer.after(30.0)
    afterwards = consumer.shown("recado_commit_age_seconds", group="processor")
    consumer.end()

    assert age is not None
    assert 5.0 < age <= 20.0
    assert afterwards == 0.0


def test_the_age_of_what_a_transport_keeps_back_is_shown(loop: SimulatedLoop) -> None:
    consumer = start(loop, nothing)
    consumer.broker.kept_back_for = 7.0
    consumer.after(10.0)

    age = consumer.shown("recado_commit_age_seconds", group="processor")
    consumer.end()

    assert age == 7.0


def test_shards_that_are_taken_away_and_pauses_are_counted(loop: SimulatedLoop) -> None:
    consumer = start(loop, nothing)
    consumer.after(1.0)
    loop.do(consumer.broker.rebalance())
    consumer.broker.switch.away = True
    consumer.after(1.0)
    consumer.broker.switch.away = False
    consumer.after(60.0)
    consumer.end()

    assert consumer.shown("recado_shards_given_back_total", group="processor") == 2
    assert consumer.shown("recado_consumer_pauses_total", group="processor") == 1
