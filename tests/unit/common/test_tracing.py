"""Spans: what is not sampled costs next to nothing, and is not sampled further on either."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from common.broker.engine.held import Held
from common.broker.transport import Delivery
from common.events import Record
from common.observability import correlation, tracing


def sampled(monkeypatch: pytest.MonkeyPatch, *, ratio: float) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("tests"))
    return exporter


def test_a_span_is_below_the_one_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = sampled(monkeypatch, ratio=1.0)

    with (
        tracing.span("above", kind=SpanKind.SERVER),
        tracing.span("below", kind=SpanKind.PRODUCER, attributes={"topic": "sends"}),
    ):
        pass

    below, above = exporter.get_finished_spans()
    assert below.parent == above.context
    assert dict(below.attributes or {}) == {"topic": "sends"}
    assert not trace.get_current_span().get_span_context().is_valid


def test_below_a_span_that_is_not_sampled_the_headers_still_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = sampled(monkeypatch, ratio=0.0)

    with tracing.span("above", kind=SpanKind.SERVER):
        above = trace.get_current_span()
        with tracing.span("below", kind=SpanKind.PRODUCER):
            assert trace.get_current_span() is above
            ((name, value),) = tracing.inject(())

    assert exporter.get_finished_spans() == ()
    assert name == "traceparent"
    assert value.split(b"-")[1] == format(above.get_span_context().trace_id, "032x").encode()
    assert int(value[-2:], 16) & 1 == 0


def test_an_error_inside_marks_the_span_and_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = sampled(monkeypatch, ratio=1.0)

    with pytest.raises(ValueError, match="a mistake"), tracing.span("x", kind=SpanKind.SERVER):
        raise ValueError("a mistake")

    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_the_tracer_is_made_once_for_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    providers = [TracerProvider(), TracerProvider()]

    tracers: list[trace.Tracer] = []
    for provider in (*providers, providers[1]):
        monkeypatch.setattr(trace, "get_tracer_provider", lambda one=provider: one)
        tracers.append(tracing.tracer())

    assert tracers[0] is not tracers[1]
    assert tracers[1] is tracers[2]


def test_what_a_record_that_is_not_sampled_leads_to_is_not_sampled_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = sampled(monkeypatch, ratio=1.0)
    traceparent = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-00"
    record = Record("messages.received", "key", (("traceparent", traceparent),), b"")
    before = correlation.at_hand.set(Held(Delivery(record, "1", token=None, shard="0")))

    with tracing.span("send", kind=SpanKind.PRODUCER):
        headers = tracing.inject(())
    correlation.at_hand.reset(before)

    assert headers == (("traceparent", traceparent),)
    assert exporter.get_finished_spans() == ()


def test_only_what_could_be_recorded_has_a_span_made(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = b"00-" + b"a" * 32 + b"-" + b"b" * 16

    assert not tracing.may_record(parent + b"-01")  # nobody collects spans

    sampled(monkeypatch, ratio=1.0)
    assert tracing.may_record(parent + b"-01")
    assert tracing.may_record(None)
    assert not tracing.may_record(parent + b"-00")
