"""Publishing: a deadline, a trace, a count."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from common.broker.publisher import Publisher
from common.broker.transport import LARGEST_RECORD, Revoked, Subscription
from common.errors import DependencyDown, PermanentError
from common.events import Record, Topic, encode, header
from common.observability import tracing
from common.observability.metrics import Metrics
from common.testing.broker import message


class RecordingTransport:
    """Keeps what it is given, or fails, or never answers."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.error: Exception | None = None
        self.silent = False

    async def publish(self, record: Record) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        self.records.append(record)

    def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AbstractAsyncContextManager[Subscription]:
        raise NotImplementedError

    async def check(self) -> None: ...


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def publisher(transport: RecordingTransport, metrics: Metrics) -> Publisher:
    return Publisher(transport, metrics, patience=0.05)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("tests"))
    return exporter


def counted(metrics: Metrics, outcome: str) -> float:
    labels = {"topic": "messages.received", "outcome": outcome}
    return metrics.registry.get_sample_value("recado_records_published_total", labels) or 0.0


async def test_an_event_is_handed_over_as_its_record_and_counted(
    publisher: Publisher, transport: RecordingTransport, metrics: Metrics
) -> None:
    event = message("+55111", "hello")

    await publisher.publish(event)

    assert transport.records == [encode(event)]
    assert counted(metrics, "published") == 1


async def test_a_broker_that_does_not_answer_is_away_at_the_deadline(
    publisher: Publisher, transport: RecordingTransport, metrics: Metrics
) -> None:
    transport.silent = True

    with pytest.raises(DependencyDown, match=r"did not answer in 0.01 s"):
        await publisher.publish(message("+55111"), deadline=0.01)
    with pytest.raises(DependencyDown, match=r"did not answer in 0.05 s"):
        await publisher.publish(message("+55111"))

    assert counted(metrics, "unavailable") == 2


async def test_a_record_over_the_limit_is_refused_before_it_is_sent(
    publisher: Publisher, transport: RecordingTransport, metrics: Metrics
) -> None:
    with pytest.raises(PermanentError, match="is the limit"):
        await publisher.publish(message("+55111", "x" * LARGEST_RECORD))

    assert transport.records == []
    assert counted(metrics, "refused") == 1


async def test_an_unexpected_error_is_counted_and_comes_out(
    publisher: Publisher, transport: RecordingTransport, metrics: Metrics
) -> None:
    transport.error = ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="mistake"):
        await publisher.publish(message("+55111"))

    assert counted(metrics, "failed") == 1


async def test_the_record_carries_the_span_that_sent_it(
    publisher: Publisher, transport: RecordingTransport, spans: InMemorySpanExporter
) -> None:
    await publisher.publish(message("+55111"))

    (span,) = spans.get_finished_spans()
    assert span.name == "send messages.received"
    assert trace_id(span) in (header(transport.records[0], "traceparent") or "")


async def test_a_record_written_earlier_is_sent_in_the_trace_it_was_written_in(
    publisher: Publisher, transport: RecordingTransport, spans: InMemorySpanExporter
) -> None:
    written = encode(message("+55111"))
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = (*written.headers, ("traceparent", parent.encode()))

    await publisher.publish_record(Record(written.topic, written.key, headers, written.value))

    (span,) = spans.get_finished_spans()
    assert trace_id(span) == "a" * 32
    assert header(transport.records[0], "traceparent") == parent


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return format(span.context.trace_id, "032x")
