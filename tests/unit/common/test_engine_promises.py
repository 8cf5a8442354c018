"""Whatever happens in whatever order, the engine keeps its promises: searched by hypothesis."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from prometheus_client import CollectorRegistry

from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.limits import Limits
from common.broker.engine.retry import RetryPolicy
from common.broker.transport import Delivery
from common.errors import DependencyDown, PermanentError, RetryAfter
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, Event, encode
from common.ids import Ulid, new_id
from common.observability.metrics import Metrics
from common.testing.broker import message
from tests.unit.common.simulated_broker import (
    HaltsInMemory,
    LettersInMemory,
    Memory,
    Partitions,
    SimulatedBroker,
    Switch,
    event_id,
)
from tests.unit.common.simulated_loop import SimulatedLoop

pytestmark = pytest.mark.timeout(300)  # the search for a smaller case may be long

CONCURRENCY, PER_TENANT, DRAIN_SECONDS = 3, 2, 8.0
CONTACTS = {
    f"+55{number}": tenant for number, tenant in enumerate([new_id(), new_id(), new_id()] * 2)
}
A_MOMENT = 0.1
"""In which a record that was taken before a halt may still come to its handler."""
TENANTS = sorted(set(CONTACTS.values()))
FAILURES = {
    "retry": RuntimeError("a mistake"),
    "later": RetryAfter("busy", 3.0),
    "permanent": PermanentError("no such account"),
    "cancelled": asyncio.CancelledError(),
    "away": DependencyDown("postgres", "connection refused"),
}


@dataclass
class Running:
    """A handler at work, until it is told how it ends."""

    event: Event[Any]
    end: asyncio.Future[None]


class Promises(RuleBasedStateMachine):
    """One consumer, a broker and a database that fail, an operator, and a process manager."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = structlog.testing.capture_logs()
        self.quiet.__enter__()
        self.loop = SimulatedLoop()
        self.broker = self.make_broker()
        self.database = Switch("postgres")
        self.halts = HaltsInMemory(self.database)
        self.letters = LettersInMemory(self.database, self.halts)
        self.published: dict[str, list[str]] = defaultdict(list)
        self.finished: set[str] = set()
        self.running: list[Running] = []
        self.broken: list[str] = []
        self.at_ease = False
        """Handlers succeed by themselves."""
        self.start()

    def make_broker(self) -> SimulatedBroker:
        return Partitions(self.acknowledged)

    @rule(
        contacts=st.lists(st.sampled_from(sorted(CONTACTS)), min_size=1, max_size=8),
        decodable=st.integers(0, 9),
    )
    def records_come(self, contacts: list[str], decodable: int) -> None:
        for contact in contacts:
            record = encode(message(contact, tenant=CONTACTS[contact]))
            if decodable == 0:
                record = replace(record, value=b"\xff not JSON")
            self.published[record.key].append(event_id(record))
            self.loop.do(self.broker.publish(record))
        self.time_passes(0.3)

    @rule(seconds=st.sampled_from([0.0, 0.02, 2.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.do(asyncio.sleep(seconds))

    @precondition(lambda self: self.running)
    @rule(how=st.lists(st.sampled_from(["well"] * len(FAILURES) + [*FAILURES]), min_size=1))
    def handlers_end(self, how: list[str]) -> None:
        for each in how:
            if self.running:
                self.end(self.running[0], each)
                self.time_passes(0.02)

    @rule(seconds=st.sampled_from([0.1, 3.0]))
    def the_broker_is_away(self, seconds: float) -> None:
        self.goes_away(self.broker.switch, seconds)

    @rule(seconds=st.sampled_from([0.1, 3.0]))
    def the_database_is_away(self, seconds: float) -> None:
        self.goes_away(self.database, seconds)

    @rule()
    def the_group_rebalances(self) -> None:
        self.rebalancing = self.loop.create_task(self.broker.rebalance())
        self.time_passes(0.02)

    @rule()
    def the_subscription_is_lost(self) -> None:
        self.broker.lose = True

    @rule(hurried=st.booleans())
    def the_process_restarts(self, hurried: bool) -> None:  # noqa: FBT001 - what hypothesis draws
        self.stop(hurried=hurried)
        self.start()

    @rule(tenant=st.sampled_from(TENANTS), seconds=st.sampled_from([0.1, 3.0]))
    def the_operator_suspends(self, tenant: Ulid, seconds: float) -> None:
        self.halts.suspended[tenant] = "by hand"
        self.loop.call_later(seconds, self.the_operator_lets_all_go_on)

    @rule()
    def the_operator_lets_all_go_on(self) -> None:
        self.halts.suspended.clear()
        self.halts.halted = None

    def goes_away(self, switch: Switch, seconds: float) -> None:
        switch.away = True
        self.loop.call_later(seconds, switch.comes_back)
        self.time_passes(0.02)

    def teardown(self) -> None:
        """Heal everything: then everything is settled, and soon."""
        try:
            self.at_ease, self.broker.switch.away, self.database.away = True, False, False
            for running in self.running.copy():
                self.end(running, "well")
            for _ in range(60):
                self.the_operator_lets_all_go_on()
                self.loop.do(asyncio.sleep(1.0))
            self.every_promise_is_kept()
            assert self.unsettled() == []
            self.stop(hurried=False)
            assert self.broker.left() == 0
        finally:
            self.close()

    def start(self) -> None:
        limits = Limits(
            concurrency=CONCURRENCY,
            per_tenant=PER_TENANT,
            window_records=6,
            window_bytes=10_000,
            drain_seconds=DRAIN_SECONDS,
            slow_seconds=30.0,
            stall_seconds=60.0,
        )
        self.engine = Engine(
            self.broker,
            "processor",
            {MESSAGES_RECEIVED: self.handle, DELIVERIES_UPDATED: self.handle},
            dead_letters=self.letters,
            halts=self.halts,
            policy=RetryPolicy(attempts=3, first=1.0, longest=4.0, budget=10.0),
            limits=limits,
            conditions=Conditions(window=8, count=3, share=0.3, run=3),
            metrics=Metrics(CollectorRegistry()),
        )
        self.stopping = asyncio.Event()
        self.process = self.loop.create_task(self.engine.run(self.stopping))

    def stop(self, *, hurried: bool) -> None:
        self.stopping.set()
        if hurried:
            self.process.cancel()
        self.loop.do(asyncio.sleep(DRAIN_SECONDS + 8.0))
        assert self.process.done(), "it outlasts its drain"
        if not self.process.cancelled():
            self.process.result()
        assert self.running == []

    def end(self, running: Running, how: str) -> None:
        if running.end.done():
            return
        if how == "well":
            running.end.set_result(None)
        else:
            running.end.set_exception(FAILURES[how])

    async def handle(self, event: Event[Any]) -> None:
        running = Running(event, asyncio.get_running_loop().create_future())
        key, event_id = event.payload.key, str(event.id)
        self.promise(
            "one of a key at a time", key not in [each.event.payload.key for each in self.running]
        )
        self.promise("nothing while it is halted", not self.halts.told_for(A_MOMENT))
        before = self.published[key][: self.published[key].index(event_id)]
        self.promise("a key in order", all(map(self.is_settled, before)))
        self.running.append(running)
        self.promise("so many at a time", len(self.running) <= CONCURRENCY)
        tenants = Counter(each.event.tenant for each in self.running)
        self.promise("so many of a tenant", max(tenants.values()) <= PER_TENANT)
        try:
            if not self.at_ease:
                await running.end
        finally:
            self.running.remove(running)
        self.finished.add(event_id)

    def acknowledged(self, delivery: Delivery) -> None:
        self.promise("settled when acknowledged", self.is_settled(event_id(delivery.record)))

    def promise(self, promise: str, kept: bool) -> None:  # noqa: FBT001 - it is what is told
        """Remember a breach: raised here, it would be one more failure for the engine to retry."""
        if not kept:
            self.broken.append(promise)

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert not self.broken, self.broken
        assert not self.process.done(), "the consumer ended by itself"

    def is_settled(self, event_id: str) -> bool:
        return event_id in self.finished or event_id in self.letters.written

    def unsettled(self) -> list[str]:
        every = [event for events in self.published.values() for event in events]
        return [event for event in every if not self.is_settled(event)]

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.do(asyncio.sleep(1.0))
        self.loop.close()
        self.quiet.__exit__(None, None, None)


class PromisesOverMemory(Promises):
    """The same over the memory transport, whose shards are keys."""

    def make_broker(self) -> SimulatedBroker:
        return Memory(self.acknowledged)


SEARCH = settings(max_examples=50, stateful_step_count=30, deadline=None)


class TestOverPartitions(Promises.TestCase):
    settings = SEARCH


class TestOverMemory(PromisesOverMemory.TestCase):
    settings = SEARCH
