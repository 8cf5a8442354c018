"""What the engine does beside what every transport is held to: order of steps, traces, refusals."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from structlog.typing import EventDict

from common.broker.engine.engine import Engine
from common.broker.memory import MemoryTransport
from common.broker.publisher import Publisher
from common.broker.transport import Delivery, Revoked, Subscription
from common.database import Database
from common.errors import DependencyDown, PermanentError
from common.events import Event, Topic
from common.observability import correlation, tracing
from common.observability.metrics import Metrics
from common.runtime import run_until_stopped
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    dead_letters_in,
    engine_of,
    message,
    running,
)
from common.testing.switched_database import SwitchedDatabase


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs(processors=[correlation.add_names]) as entries:
        yield entries


async def refuse(_event: Event[Any]) -> None:
    raise PermanentError("no such account")


async def test_an_engine_is_not_ready_before_it_consumes_nor_after(
    transport: MemoryTransport, database: Database
) -> None:
    engine = engine_of(transport, RememberingHandler(), database)

    before = await engine.ready()
    async with running(engine):
        await eventually(lambda: is_ready(engine))
    after = await engine.ready()

    assert (before, after) == ("not consuming", "not consuming")


async def test_a_handler_that_hangs_does_not_keep_the_consumer_past_the_process_drain(
    transport: MemoryTransport,
    publisher: Publisher,
    database: Database,
    logs: list[EventDict],
) -> None:
    async def hang(_event: Event[Any]) -> None:
        await asyncio.Event().wait()

    handler, stop = RememberingHandler(hang), asyncio.Event()
    engine = engine_of(transport, handler, database, drain_seconds=2.0)
    await publisher.publish(message("+55111", "hello"))

    running = asyncio.create_task(run_until_stopped(engine, drain_seconds=2.0, stop=stop))
    await eventually(lambda: handler.begun)
    stop.set()
    await running

    told = [entry["event"] for entry in logs]
    assert "handler cut short" in told
    assert "drain cut short" not in told


async def test_a_dead_letter_that_cannot_be_written_pauses_the_consumer_and_is_not_lost(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    async def refuse_when_it_is_gone(event: Event[Any]) -> None:
        switched.away = True
        await refuse(event)

    switched = SwitchedDatabase(database)
    handler = RememberingHandler(refuse_when_it_is_gone)
    engine = engine_of(transport, handler, switched)
    await publisher.publish(message("+55111", "refused"))

    async with running(engine):
        await eventually(lambda: is_paused(engine))
        switched.away = False
        await eventually(lambda: is_ready(engine))

    letters = await dead_letters_in(database)
    assert [(row["error_class"], row["attempts"]) for row in letters] == [("PermanentError", 1)]
    assert len(handler.begun) == 1, "the handler is not asked again for what is decided"


async def test_a_table_of_dead_letters_that_is_broken_stops_the_consumer_instead_of_the_record(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    await rename(database, "processor_dead_letters", "elsewhere")
    engine = engine_of(transport, refuse, database)
    await publisher.publish(message("+55111", "refused"))

    async with running(engine):
        await eventually(lambda: is_paused(engine))
        reason = await engine.ready()
        await rename(database, "elsewhere", "processor_dead_letters")
        await eventually(lambda: dead_letters_in(database))

    assert reason is not None
    assert reason.startswith("the table of dead letters is away: ")
    assert reason.endswith("no such table: processor_dead_letters")


async def test_a_dead_letter_of_a_record_that_comes_again_is_one_row(
    publisher: Publisher, transport: MemoryTransport, database: Database
) -> None:
    await publisher.publish(message("+55111", "refused"))
    forgetful = ForgetfulTransport(transport)

    for _ in range(2):
        async with running(engine_of(forgetful, refuse, database)):
            await eventually(lambda: forgetful.acknowledged)
            forgetful.acknowledged.clear()

    assert len(await dead_letters_in(database)) == 1


async def test_the_handler_s_span_continues_the_publisher_s_and_is_linked_to_it(
    transport: MemoryTransport,
    publisher: Publisher,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("tests"))
    event = message("+55111")

    await publisher.publish(event)
    async with running(engine_of(transport, RememberingHandler(), database)):
        await eventually(lambda: len(exporter.get_finished_spans()) == 2)

    sent, handled = exporter.get_finished_spans()
    assert (sent.name, handled.name) == ("send messages.received", "handle messages.received")
    assert handled.parent is not None
    assert sent.context is not None
    assert handled.parent.span_id == sent.context.span_id
    assert [link.context.span_id for link in handled.links] == [sent.context.span_id]
    assert handled.attributes is not None
    assert handled.attributes["recado.correlation_id"] == str(event.correlation)


async def test_what_a_handler_logs_carries_the_ids_of_its_event(
    transport: MemoryTransport, publisher: Publisher, database: Database, logs: list[EventDict]
) -> None:
    async def speak(_event: Event[Any]) -> None:
        structlog.get_logger().info("inside")

    event = message("+55111", "a secret")
    await publisher.publish(event)
    async with running(engine_of(transport, speak, database)):
        await eventually(lambda: handled(logs))

    inside, settled = (entry for entry in logs if entry["event"] in ("inside", "record handled"))
    for entry in (inside, settled):
        assert entry["correlation_id"] == str(event.correlation)
        assert entry["tenant"] == str(event.tenant)
        assert entry["event_id"] == str(event.id)
        assert entry["topic"] == "messages.received"
    assert "a secret" not in repr(logs)


async def test_each_outcome_is_one_line_and_one_count(
    transport: MemoryTransport, publisher: Publisher, database: Database, logs: list[EventDict]
) -> None:
    async def work(event: Event[Any]) -> None:
        if event.payload.text == "failing":
            raise RuntimeError("always")

    metrics = Metrics(CollectorRegistry())
    await publisher.publish(message("+55111", "failing"))
    await publisher.publish(message("+55111", "fine"))

    async with running(engine_of(transport, work, database, metrics=metrics)):
        await eventually(lambda: handled(logs))

    told = [entry["event"] for entry in logs]
    assert told == ["record failed"] * 3 + ["record dead-lettered", "record handled"]
    counted = [count_of(metrics, outcome) for outcome in ("failed", "dead-lettered", "handled")]
    assert counted == [2, 1, 1]
    delays = "recado_record_delay_seconds_count"
    assert metrics.registry.get_sample_value(delays, {"topic": "messages.received"}) == 1


async def test_a_handler_that_cancels_itself_is_tried_again_like_any_failure(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    async def give_up_at_first(_event: Event[Any]) -> None:
        if len(handler.begun) == 1:
            raise asyncio.CancelledError

    handler = RememberingHandler(give_up_at_first)
    await publisher.publish(message("+55111", "hello"))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: handler.finished)

    assert len(handler.begun) == 2


async def test_a_mistake_in_the_transport_ends_the_engine_instead_of_being_swallowed(
    publisher: Publisher, transport: MemoryTransport, database: Database
) -> None:
    await publisher.publish(message("+55111", "hello"))
    broken = ForgetfulTransport(transport, error=KeyError("a mistake of ours"))

    with pytest.raises(ExceptionGroup) as raised:
        await engine_of(broken, RememberingHandler(), database).run(asyncio.Event())

    assert raised.value.subgroup(KeyError) is not None


async def test_a_broker_that_takes_no_acknowledgement_pauses_the_consumer_until_it_does(
    publisher: Publisher, transport: MemoryTransport, database: Database
) -> None:
    away = ForgetfulTransport(transport, error=DependencyDown("broker", "disk full"))
    handler = RememberingHandler()
    engine = engine_of(away, handler, database)
    await publisher.publish(message("+55111", "first"))
    await publisher.publish(message("+55111", "second"))

    async with running(engine):
        await eventually(lambda: is_paused(engine))
        while_away = list(handler.finished)
        away.error, away.forgets = None, False
        await eventually(lambda: len(handler.finished) == 2)

    assert while_away == [("+55111", "first")]
    assert handler.words_of("+55111") == ["first", "second"]


class ForgetfulTransport:
    """Hears every acknowledgement, and forgets it or fails."""

    def __init__(self, transport: MemoryTransport, error: Exception | None = None) -> None:
        self._transport = transport
        self.error = error
        self.forgets = True
        self.acknowledged: list[Delivery] = []
        self.publish = transport.publish
        self.check = transport.check

    @asynccontextmanager
    async def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AsyncGenerator[Subscription]:
        async with self._transport.subscribe(group, topics, revoked) as subscription:
            yield ForgetfulSubscription(subscription, self)


class ForgetfulSubscription:
    def __init__(self, subscription: Subscription, transport: ForgetfulTransport) -> None:
        self._subscription = subscription
        self._transport = transport
        self.fetch = subscription.fetch
        self.flush = subscription.flush
        self.waiting = subscription.waiting
        self.unsettled_seconds = subscription.unsettled_seconds

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self._transport.error is not None:
            raise self._transport.error
        self._transport.acknowledged.extend(deliveries)
        if not self._transport.forgets:
            await self._subscription.acknowledge(deliveries)


async def rename(database: Database, table: str, name: str) -> None:
    statement = text(f"alter table {table} rename to {name}")
    await database.transaction(lambda tx: tx.execute(statement))


async def is_ready(engine: Engine) -> bool:
    return await engine.ready() is None


async def is_paused(engine: Engine) -> bool:
    return "away" in (await engine.ready() or "")


def count_of(metrics: Metrics, outcome: str) -> float | None:
    labels = {"topic": "messages.received", "outcome": outcome}
    return metrics.registry.get_sample_value("recado_records_handled_total", labels)


def handled(logs: list[EventDict]) -> bool:
    return any(entry["event"] == "record handled" for entry in logs)
