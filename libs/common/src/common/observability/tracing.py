"""Spans across services: W3C trace context in the records' headers."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import INVALID_SPAN, Link, SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from common.observability import correlation
from common.observability.correlation import Headers
from common.settings import TracingSettings

_UNSAMPLED = b"-00"  # the last of the four parts of `traceparent`
_TRACE_CONTEXT = TraceContextTextMapPropagator()  # and no baggage, which we have none of


def configure(settings: TracingSettings, service: str) -> SdkTracerProvider | None:
    """Send spans to the endpoint of the settings; without one, spans cost nothing.

    Called once, by `__main__`. Shut the provider down at the end, or its last spans are lost.
    """
    if settings.endpoint is None:
        return None
    provider = SdkTracerProvider(
        resource=Resource.create({"service.name": f"recado-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    trace.set_tracer_provider(provider)
    return provider


def tracer() -> Tracer:
    """Return the tracer of Recado, as configured now."""
    return _tracer_of(trace.get_tracer_provider())


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind,
    context: Context | None = None,
    attributes: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Generator[None]:
    """Do the work inside within a span, below the span of `context` or else the current one.

    Below one that is not sampled none is made: nothing of it would be recorded.
    """
    context = _here() if context is None else context
    above = trace.get_current_span(context).get_span_context()
    if above.is_valid and not above.trace_flags.sampled:
        yield
        return
    one = tracer().start_span(name, context, kind, attributes, links)
    token = attach(trace.set_span_in_context(one))
    try:
        yield
    except Exception as error:
        one.record_exception(error)
        one.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        raise
    finally:
        detach(token)
        one.end()


@lru_cache(maxsize=1)
def _tracer_of(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("recado")  # which is slow: it compares with the tracers that exist


def inject(headers: Headers) -> Headers:
    """Add `traceparent` of the current span, unless the headers carry one."""
    if "traceparent" in [name for name, _ in headers]:
        return headers
    here = trace.get_current_span(_here()).get_span_context()
    if not here.is_valid:
        return headers
    # as w3.org/TR/trace-context writes it; the propagator takes six times as long
    parent = f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}".encode()
    return (*headers, ("traceparent", parent))


def may_record(traceparent: bytes | None) -> bool:
    """Tell whether a span below this header could be recorded, at the price of a look."""
    if traceparent is not None and traceparent.endswith(_UNSAMPLED):
        return False
    return isinstance(tracer(), SdkTracer)


def extract(headers: Headers) -> Context:
    """Return the context that the headers carry; an empty one where they carry none."""
    carrier: Mapping[str, str] = {
        name: value.decode("ascii", "replace")
        for name, value in headers
        if name in ("traceparent", "tracestate")
    }
    return _TRACE_CONTEXT.extract(carrier)


def _here() -> Context | None:
    """Return where the next span belongs: below the current one, which is None.

    A record whose trace is not sampled is handled without a span; then its headers say where, and
    what it leads to is not sampled either.
    """
    work = correlation.at_hand.get()
    if work is None or trace.get_current_span() is not INVALID_SPAN:
        return None
    return extract(work.headers)
