"""Spans across services: W3C trace context in the records' headers."""

from collections.abc import Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

from common.settings import TracingSettings

Headers = tuple[tuple[str, bytes], ...]


def configure(settings: TracingSettings, service: str) -> TracerProvider | None:
    """Send spans to the endpoint of the settings; without one, spans cost nothing.

    Called once, by `__main__`. Shut the provider down at the end, or its last spans are lost.
    """
    if settings.endpoint is None:
        return None
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"recado-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    trace.set_tracer_provider(provider)
    return provider


def tracer() -> Tracer:
    """Return the tracer of Recado, as configured now."""
    return trace.get_tracer("recado")


def inject(headers: Headers) -> Headers:
    """Add `traceparent` of the current span, unless the headers carry one."""
    if any(name == "traceparent" for name, _ in headers):
        return headers
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return headers + tuple((name, value.encode()) for name, value in carrier.items())


def extract(headers: Headers) -> Context:
    """Return the context that the headers carry; an empty one where they carry none."""
    carrier: Mapping[str, str] = {
        name: value.decode("ascii", "replace")
        for name, value in headers
        if name in ("traceparent", "tracestate")
    }
    return propagate.extract(carrier)
