"""A record's span, which is its publisher's child, and the names in it and in every log line."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from common.broker.engine.held import Held
from common.observability import correlation, tracing


@contextmanager
def observed(held: Held) -> Generator[None]:
    """Handle inside of a span, whose parent is the publisher's, and which is linked to it as well.

    The link is what OpenTelemetry's conventions for messaging ask for, the parent tells one story.
    """
    topic = held.delivery.record.topic
    context = tracing.extract(held.headers)
    published = trace.get_current_span(context).get_span_context()
    before = correlation.at_hand.set(held)
    try:
        with tracing.span(
            f"handle {topic}",
            kind=SpanKind.CONSUMER,
            context=context,
            attributes={"messaging.destination.name": topic},
            links=(Link(published),) if published.is_valid else (),
        ):
            correlation.put_on_span(held.names())
            yield
    finally:
        correlation.at_hand.reset(before)
