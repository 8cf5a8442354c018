"""What is known about the work at hand, in every log line and on every span made meanwhile."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog
from opentelemetry import trace

from common.ids import Ulid


@contextmanager
def bind(*, correlation: Ulid | None, tenant: Ulid | None = None, **values: str) -> Generator[None]:
    """Name the work: correlation id, tenant, and whatever else tells it apart (topic, kind)."""
    names = {"correlation_id": correlation, "tenant": tenant}
    known = {name: str(value) for name, value in names.items() if value is not None} | values
    span = trace.get_current_span()
    for name, value in known.items():
        span.set_attribute(f"recado.{name}", value)
    with structlog.contextvars.bound_contextvars(**known):
        yield
