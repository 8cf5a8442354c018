"""What is known about the work at hand, in every log line and on every span made meanwhile."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

from common.ids import Ulid

Headers = tuple[tuple[str, bytes], ...]


class Work(Protocol):
    """Something that is being done. It is asked only when a line is written or a span made."""

    @property
    def headers(self) -> Headers:
        """What it came with; a `traceparent` among them says whose part it is."""
        ...

    def names(self) -> Mapping[str, str]:
        """Return what tells it apart."""
        ...


at_hand: ContextVar[Work | None] = ContextVar("at_hand", default=None)
"""What this task is about."""


@contextmanager
def bind(*, correlation: Ulid | None, tenant: Ulid | None = None, **values: str) -> Generator[None]:
    """Name the work: correlation id, tenant, and whatever else tells it apart (topic, kind)."""
    around = at_hand.get()
    known = named(correlation=correlation, tenant=tenant, **values)
    if around is None:
        work = _Named((), known)
    else:
        work = _Named(around.headers, {**around.names(), **known})
    before = at_hand.set(work)
    try:
        yield
    finally:
        at_hand.reset(before)


def named(*, correlation: Ulid | None, tenant: Ulid | None = None, **values: str) -> dict[str, str]:
    """Put the same on the current span, and return it for the one log line that will tell it."""
    known = dict(values)
    if correlation is not None:
        known["correlation_id"] = str(correlation)
    if tenant is not None:
        known["tenant"] = str(tenant)
    put_on_span(known)
    return known


def put_on_span(names: Mapping[str, str]) -> None:
    """Put names on the current span."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"recado.{name}": value for name, value in names.items()})


def add_names(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Name the work at hand in a log line; what the line says itself stays."""
    work = at_hand.get()
    return line if work is None else {**work.names(), **line}


@dataclass(frozen=True, slots=True)
class _Named:
    headers: Headers
    known: Mapping[str, str]

    def names(self) -> Mapping[str, str]:
        return self.known
