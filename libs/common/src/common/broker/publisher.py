"""Hand events to the broker, and know that it has them."""

import asyncio
from typing import Any

from opentelemetry.trace import SpanKind

from common.broker.transport import Transport, refuse_oversized
from common.errors import DependencyDown, PermanentError
from common.events import Event, Record, encode
from common.observability import tracing
from common.observability.metrics import Metrics


class Publisher:
    """Publishes through one transport, with a span and a count for each record."""

    def __init__(self, transport: Transport, metrics: Metrics, *, patience: float = 10.0) -> None:
        """Wait `patience` seconds for the broker where a call names no deadline of its own."""
        self._transport = transport
        self._metrics = metrics
        self._patience = patience

    async def publish(self, event: Event[Any], *, deadline: float | None = None) -> None:
        """Return once the event is durable in the broker.

        Raises `DependencyDown` after `deadline` seconds, or earlier when the broker is known to be
        away; the event may still land. Raises `PermanentError` for one that is too large.
        """
        await self.publish_record(encode(event), deadline=deadline)

    async def publish_record(self, record: Record, *, deadline: float | None = None) -> None:
        """See `publish`; for a record that was written earlier. It keeps a `traceparent` it has."""
        with tracing.tracer().start_as_current_span(
            f"send {record.topic}",
            context=tracing.extract(record.headers) if _is_traced(record) else None,
            kind=SpanKind.PRODUCER,
            attributes={"messaging.destination.name": record.topic},
        ):
            outcome = "failed"
            try:
                await self._send(_traced(record), deadline or self._patience)
                outcome = "published"
            except PermanentError:
                outcome = "refused"
                raise
            except DependencyDown:
                outcome = "unavailable"
                raise
            finally:
                self._metrics.records_published.labels(record.topic, outcome).inc()

    async def _send(self, record: Record, deadline: float) -> None:
        refuse_oversized(record)
        try:
            async with asyncio.timeout(deadline):
                await self._transport.publish(record)
        except TimeoutError as error:
            raise DependencyDown("broker", f"did not answer in {deadline:g} s") from error


def _is_traced(record: Record) -> bool:
    return any(name == "traceparent" for name, _ in record.headers)


def _traced(record: Record) -> Record:
    headers = tracing.inject(record.headers)
    return Record(record.topic, record.key, headers, record.value)
