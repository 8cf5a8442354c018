"""One record: decoded, given to its handler, and what an exception makes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason
from common.broker.engine.halting import Halting
from common.broker.engine.held import Held
from common.broker.engine.observed import observed
from common.broker.engine.retry import RetryPolicy
from common.broker.engine.verdicts import dead_letter
from common.database import Transaction
from common.errors import DependencyDown, PermanentError, RetryAfter
from common.events import Event, UndecodableError, decode
from common.observability import correlation, tracing
from common.observability.metrics import Metrics, begin_at_zero

log = structlog.get_logger()

EventHandler = Callable[[Event[Any]], Awaitable[None]]
"""Makes a fact durable and returns. The same event may come again; then it must do nothing more."""

EventGivenUp = Callable[[Transaction, Event[Any]], None]
"""Writes what follows from giving an event up, in the transaction of its dead letter and once.

It is to succeed whatever the event says: the consumer stands still until it does.
"""

OUTCOMES = ("handled", "failed", "put off", "dead-lettered", "suspended")

_AT_ONCE = 0.0


class Handling:
    """Knows the outcomes. Safe to use for many records at a time."""

    def __init__(
        self,
        handlers: Mapping[str, EventHandler],
        dead_letters: DeadLetters,
        halting: Halting,
        policy: RetryPolicy,
        metrics: Metrics,
        *,
        given_up: Mapping[str, EventGivenUp],
    ) -> None:
        """Handle the records of the topics that `handlers` names."""
        self._topics = {
            topic: _OfTopic(topic, handler, metrics) for topic, handler in handlers.items()
        }
        self._given_up = given_up
        self._dead_letters = dead_letters
        self._halting = halting
        self._policy = policy
        self._metrics = metrics
        self._log = log.bind()  # left unbound, it would be made anew for each line
        begin_at_zero(metrics.records_handled, handlers, OUTCOMES)
        begin_at_zero(metrics.dead_letters, handlers, Reason)

    async def settle(self, held: Held) -> float | None:
        """Handle a record, or finish giving it up.

        Returns None once it is settled, else the seconds until it should be tried again. Raises
        `DependencyDown` where nothing is wrong with the record.
        """
        held.event = event = _decoded(held)
        if tracing.may_record(held.traceparent):
            with observed(held):
                return await self._outcome(held, event)
        before = correlation.at_hand.set(held)
        try:
            return await self._outcome(held, event)
        finally:
            correlation.at_hand.reset(before)

    async def _outcome(self, held: Held, event: Event[Any] | None) -> float | None:
        if held.verdict is None and event is not None:
            free = self._halting.is_known_free(event.tenant)
            if not free and await self._set_aside(held, event):
                return None
            delay = await self._attempt(held, event)
            if delay is not None:
                return delay
        if held.verdict is not None:
            return await self._give_up(held, held.verdict, event)
        return None

    async def _attempt(self, held: Held, event: Event[Any]) -> float | None:
        topic, _ = held.key
        known = self._topics[topic]
        started = time.perf_counter()
        held.attempts += 1
        try:
            await known.handler(event)
        except DependencyDown:
            held.attempts -= 1
            self._count(topic, "put off")
            raise
        except PermanentError as error:
            held.verdict = dead_letter(held, Reason.PERMANENT, tenant=event.tenant, error=error)
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            return self._failed(held, event, error)
        except Exception as error:  # noqa: BLE001 - the third outcome is every other exception
            return self._failed(held, event, error)
        else:
            self._halting.handled(event.tenant)
            known.handled.inc()
            known.delay.observe(max(0.0, time.time() - event.time.timestamp()))
            self._log.info("record handled", attempts=held.attempts)
        finally:
            known.seconds.observe(time.perf_counter() - started)
        return None

    def _failed(self, held: Held, event: Event[Any], error: BaseException) -> float | None:
        now, topic = asyncio.get_running_loop().time(), held.delivery.record.topic
        if held.failing_since is None:
            held.failing_since = now
        policy, failing_for = self._policy.of_topic(topic), now - held.failing_since
        delay = policy.delay(held.attempts, failing_for)
        if delay is not None and isinstance(error, RetryAfter):
            delay = policy.within_budget(error.seconds, failing_for)
        if delay is None:
            held.verdict = dead_letter(held, Reason.EXHAUSTED, tenant=event.tenant, error=error)
        else:
            self._count(topic, "failed")
        log.warning(
            "record failed",
            attempts=held.attempts,
            next_attempt_seconds=None if delay is None else round(delay, 3),
            exc_info=error,
        )
        return delay

    async def _set_aside(self, held: Held, event: Event[Any]) -> bool:
        """Let a suspended tenant's record wait behind its earlier ones, for an operator."""
        with _standing_still():
            if not await self._halting.suspended(event.tenant):
                return False
            letter = dead_letter(held, Reason.SUSPENDED, tenant=event.tenant)
            if not await self._dead_letters.record_suspended(letter):
                return False
        self._count(letter.record.topic, "suspended")
        self._metrics.dead_letters.labels(letter.record.topic, letter.reason.value).inc()
        log.warning("record suspended", attempts=held.attempts)
        return True

    async def _give_up(
        self, held: Held, letter: DeadLetter, event: Event[Any] | None
    ) -> float | None:
        with _standing_still():
            if not held.judged and not await self._halting.allows(letter.tenant):
                held.begin_anew()  # by a consumer that goes on, or to find its tenant suspended
                return _AT_ONCE
            held.judged = True
            await self._dead_letters.record(letter, self._consequence(letter, event))
        self._count(letter.record.topic, "dead-lettered")
        self._metrics.dead_letters.labels(letter.record.topic, letter.reason.value).inc()
        log.error(
            "record dead-lettered",
            reason=letter.reason.value,
            error_class=letter.error_class,
            attempts=letter.attempts,
        )
        return None

    def _consequence(
        self, letter: DeadLetter, event: Event[Any] | None
    ) -> Callable[[Transaction], None] | None:
        given_up = self._given_up.get(letter.record.topic)
        if event is None or given_up is None:
            return None
        return lambda tx: given_up(tx, event)

    def _count(self, topic: str, outcome: str) -> None:
        self._metrics.records_handled.labels(topic, outcome).inc()


class _OfTopic:
    """What each record of a topic needs, looked up once."""

    def __init__(self, topic: str, handler: EventHandler, metrics: Metrics) -> None:
        self.handler = handler
        self.handled = metrics.records_handled.labels(topic, "handled")
        self.seconds = metrics.handle_seconds.of(topic)
        self.delay = metrics.record_delay_seconds.of(topic)


def _decoded(held: Held) -> Event[Any] | None:
    """Return the event, or condemn what is none."""
    try:
        return decode(held.delivery.record)
    except UndecodableError as refusal:
        held.verdict = held.verdict or dead_letter(
            held, Reason.UNDECODABLE, tenant=None, error=refusal
        )
        return None


@contextmanager
def _standing_still() -> Generator[None]:
    """Neither acknowledge nor drop: the consumer stops over a mistake until somebody mends it."""
    try:
        yield
    except DependencyDown:
        raise
    except Exception as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise DependencyDown("the table of dead letters", first_line) from error


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
