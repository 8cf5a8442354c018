"""One record: decoded, given to its handler, and what an exception makes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from opentelemetry.trace import SpanKind

from common.broker.dead_letters import DeadLetter, DeadLetters, Reason
from common.broker.lanes import Held
from common.broker.retry import RetryPolicy
from common.database import Transaction
from common.errors import DependencyDown, PermanentError
from common.events import Event, UndecodableError, decode, header
from common.ids import Ulid
from common.observability import correlation, tracing
from common.observability.metrics import Metrics, begin_at_zero

log = structlog.get_logger()

EventHandler = Callable[[Event[Any]], Awaitable[None]]
"""Makes a fact durable and returns. The same event may come again; then it must do nothing more."""

EventGivenUp = Callable[[Transaction, Event[Any]], None]
"""Writes what follows from giving an event up, in the transaction of its dead letter and once.

It is to succeed whatever the event says: the consumer stands still until it does.
"""

OUTCOMES = ("handled", "failed", "put off", "dead-lettered")


class Handling:
    """Knows the three outcomes. Safe to use for many records at a time."""

    def __init__(
        self,
        handlers: Mapping[str, EventHandler],
        dead_letters: DeadLetters,
        policy: RetryPolicy,
        metrics: Metrics,
        *,
        given_up: Mapping[str, EventGivenUp],
    ) -> None:
        """Handle the records of the topics that `handlers` names."""
        self._handlers = handlers
        self._given_up = given_up
        self._dead_letters = dead_letters
        self._policy = policy
        self._metrics = metrics
        begin_at_zero(metrics.records_handled, handlers, OUTCOMES)
        begin_at_zero(metrics.dead_letters, handlers, Reason)

    async def settle(self, held: Held) -> float | None:
        """Handle a record, or finish giving it up.

        Returns None once it is settled, else the seconds until it should be tried again. Raises
        `DependencyDown` where nothing is wrong with the record.
        """
        event, refusal = _decoded(held)
        with _observed(held, event):
            if held.verdict is None and event is not None:
                delay = await self._attempt(held, event)
                if delay is not None:
                    return delay
            if refusal is not None:
                _condemn(held, Reason.UNDECODABLE, refusal)
            if held.verdict is not None:
                await self._give_up(held.verdict, event)
            return None

    async def _attempt(self, held: Held, event: Event[Any]) -> float | None:
        topic = held.delivery.record.topic
        started = time.perf_counter()
        held.attempts += 1
        try:
            await self._handlers[topic](event)
        except DependencyDown:
            held.attempts -= 1
            self._count(topic, "put off")
            raise
        except PermanentError as error:
            _condemn(held, Reason.PERMANENT, error, event.tenant)
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            return self._failed(held, event, error)
        except Exception as error:  # noqa: BLE001 - the third outcome is every other exception
            return self._failed(held, event, error)
        else:
            self._count(topic, "handled")
            age = (datetime.now(UTC) - event.time).total_seconds()
            self._metrics.record_delay_seconds.labels(topic).observe(max(0.0, age))
            log.debug("record handled", attempts=held.attempts)
        finally:
            self._metrics.handle_seconds.labels(topic).observe(time.perf_counter() - started)
        return None

    def _failed(self, held: Held, event: Event[Any], error: BaseException) -> float | None:
        now = time.monotonic()
        held.failing_since = held.failing_since or now
        delay = self._policy.delay(held.attempts, now - held.failing_since)
        if delay is None:
            _condemn(held, Reason.EXHAUSTED, error, event.tenant)
        else:
            self._count(held.delivery.record.topic, "failed")
        log.warning(
            "record failed",
            attempts=held.attempts,
            next_attempt_seconds=None if delay is None else round(delay, 3),
            exc_info=error,
        )
        return delay

    async def _give_up(self, letter: DeadLetter, event: Event[Any] | None) -> None:
        try:
            await self._dead_letters.record(letter, self._consequence(letter, event))
        except DependencyDown:
            raise
        except Exception as error:
            # neither acknowledged nor dropped: the consumer stops over it until somebody mends it
            first_line = (str(error) or type(error).__name__).splitlines()[0]
            raise DependencyDown("the table of dead letters", first_line) from error
        self._count(letter.record.topic, "dead-lettered")
        self._metrics.dead_letters.labels(letter.record.topic, letter.reason.value).inc()
        log.error(
            "record dead-lettered",
            reason=letter.reason.value,
            error_class=letter.error_class,
            attempts=letter.attempts,
        )

    def _consequence(
        self, letter: DeadLetter, event: Event[Any] | None
    ) -> Callable[[Transaction], None] | None:
        given_up = self._given_up.get(letter.record.topic)
        if event is None or given_up is None:
            return None
        return lambda tx: given_up(tx, event)

    def _count(self, topic: str, outcome: str) -> None:
        self._metrics.records_handled.labels(topic, outcome).inc()


def _decoded(held: Held) -> tuple[Event[Any] | None, UndecodableError | None]:
    try:
        return decode(held.delivery.record), None
    except UndecodableError as refusal:
        return None, refusal


@contextmanager
def _observed(held: Held, event: Event[Any] | None) -> Generator[None]:
    record = held.delivery.record
    with (
        tracing.tracer().start_as_current_span(
            f"handle {record.topic}",
            context=tracing.extract(record.headers),
            kind=SpanKind.CONSUMER,
            attributes={"messaging.destination.name": record.topic},
        ),
        correlation.bind(
            correlation=None if event is None else event.correlation,
            tenant=None if event is None else event.tenant,
            topic=record.topic,
            record_id=held.delivery.record_id,
            event_id=header(record, "ce_id") or "",
        ),
    ):
        yield


def _condemn(held: Held, reason: Reason, error: BaseException, tenant: Ulid | None = None) -> None:
    now = time.monotonic()
    failing_for = timedelta(seconds=now - (held.failing_since or now))
    last_failed_at = datetime.now(UTC)
    held.verdict = DeadLetter(
        record=held.delivery.record,
        record_id=held.delivery.record_id,
        tenant=tenant,
        reason=reason,
        error_class=type(error).__name__,
        detail=str(error),
        attempts=held.attempts,
        first_failed_at=last_failed_at - failing_for,
        last_failed_at=last_failed_at,
    )


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
