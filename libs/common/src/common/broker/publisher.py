"""Hand events to the broker, and know that it has them."""

import asyncio
from functools import lru_cache
from typing import Any

from opentelemetry.context import Context
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
        # asked for each record, the metric would look its child up under a lock
        self._counter = lru_cache(metrics.records_published.labels)
        self._patience = patience

    async def publish(self, event: Event[Any], *, deadline: float | None = None) -> None:
        """Return once the event is durable in the broker.

        Raises `DependencyDown` after `deadline` seconds, or earlier when the broker is known to be
        away; the event may still land. Raises `PermanentError` for one that is too large.
        """
        await self._publish(encode(event), None, deadline)

    async def publish_record(self, record: Record, *, deadline: float | None = None) -> None:
        """See `publish`; for a record that was written earlier. It keeps a `traceparent` it has."""
        await self._publish(record, tracing.extract(record.headers) or None, deadline)

    async def _publish(
        self, record: Record, context: Context | None, deadline: float | None
    ) -> None:
        name, destination = f"send {record.topic}", {"messaging.destination.name": record.topic}
        with tracing.span(name, kind=SpanKind.PRODUCER, context=context, attributes=destination):
            outcome = "failed"
            try:
                await self._send(record, deadline or self._patience)
                outcome = "published"
            except PermanentError:
                outcome = "refused"
                raise
            except DependencyDown:
                outcome = "unavailable"
                raise
            finally:
                self._counter(record.topic, outcome).inc()

    async def _send(self, record: Record, deadline: float) -> None:
        headers = tracing.inject(record.headers)
        traced = Record(record.topic, record.key, headers, record.value)
        refuse_oversized(traced)
        try:
            async with asyncio.timeout(deadline):
                await self._transport.publish(traced)
        except TimeoutError as error:
            raise DependencyDown("broker", f"did not answer in {deadline:g} s") from error
