"""The end of a tenant's suspension: what waited is handled in its order, before what is newer.

A job of the service, so that it survives the process that began it. Newer records go on being put
behind the waiting ones until there are none; then the suspension is lifted in a transaction that no
such record can slip past.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import delete, update

from common.broker.dead_letters.halts import HaltState, halt_of, halts_table
from common.broker.dead_letters.letters import DeadLetter, DeadLetters, Reason, StoredLetter
from common.broker.engine.handling import EventGivenUp, EventHandler
from common.broker.engine.held import Held
from common.broker.engine.observed import observed
from common.broker.transport import Delivery
from common.database import Database, Transaction
from common.errors import PermanentError
from common.events import Event, Record, Topic, UndecodableError, decode
from common.ids import Ulid
from common.observability.metrics import Metrics

log = structlog.get_logger()

_AT_ONCE = 100
_NOW = timedelta(0)


class TenantsJob(Protocol):
    """A claimed job, of `common.jobs`, which stands beside this package and not below it."""

    @property
    def tenant(self) -> Ulid:
        """Whose it is."""
        ...


JobT_contra = TypeVar("JobT_contra", bound=TenantsJob, contravariant=True)


class Claims(Protocol[JobT_contra]):
    """What `common.jobs.Jobs` does with a claimed job."""

    def hold(self, tx: Transaction, job: JobT_contra) -> None:
        """Raise unless the claim still counts."""
        ...

    def again(self, tx: Transaction, job: JobT_contra, *, due_in: timedelta) -> None:
        """End the claim and not the job."""
        ...

    def done(self, tx: Transaction, job: JobT_contra) -> None:
        """End the job."""
        ...


class ResumeTenant(Generic[JobT_contra]):
    """Handles the `resume` job of a tenant: the engine's own handlers get what waits, in sequence.

    One that fails for good becomes an ordinary dead letter, and the next goes on. Any other failure
    is the job's, which comes again and begins with the same letter.
    """

    def __init__(
        self,
        service: str,
        database: Database,
        jobs: Claims[JobT_contra],
        handlers: Mapping[Topic, EventHandler],
        metrics: Metrics,
        *,
        given_up: Mapping[Topic, EventGivenUp] | None = None,
    ) -> None:
        """Take what the engine of `service` was given."""
        self._database = database
        self._jobs = jobs
        self._handlers = {topic.name: handler for topic, handler in handlers.items()}
        self._given_up = {topic.name: meaning for topic, meaning in (given_up or {}).items()}
        self._metrics = metrics
        self._letters = DeadLetters(service, database)
        self._halts = halts_table(service)

    async def __call__(self, job: JobT_contra) -> None:
        """Handle the letters that wait, as many as one claim may; with none left, lift the halt."""
        waiting = await self._database.read(
            lambda tx: self._letters.waiting(tx, _AT_ONCE), tenant=job.tenant
        )
        for stored in waiting:
            await self._hand_over(job, stored)
        await self._database.transaction(partial(self._end, job), tenant=job.tenant)

    def give_up(self, tx: Transaction, job: JobT_contra) -> None:
        """Go back to waiting, in the transaction that fails the job: an operator is to look."""
        halts = self._halts
        tx.execute(
            update(halts)
            .where(halts.c.tenant_id == job.tenant)
            .values(state=HaltState.SUSPENDED.value, reason="resuming it failed")
        )

    async def _hand_over(self, job: JobT_contra, stored: StoredLetter) -> None:
        letter = stored.letter
        event, refusal = _decoded(letter.record)
        held = Held(Delivery(letter.record, letter.record_id, token=None, shard=""))
        held.event = event
        with observed(held):
            if event is not None:
                refusal = await self._refusal(letter.record.topic, event)
            condemned = None if refusal is None else _condemned(letter, refusal)
            settle = partial(self._settle, job, stored, condemned, event)
            await self._database.transaction(settle, tenant=job.tenant)
            self._tell(letter.record.topic, condemned)

    async def _refusal(self, topic: str, event: Event[Any]) -> PermanentError | None:
        try:
            await self._handlers[topic](event)
        except PermanentError as error:
            return error
        return None

    def _settle(
        self,
        job: JobT_contra,
        stored: StoredLetter,
        condemned: DeadLetter | None,
        event: Event[Any] | None,
        tx: Transaction,
    ) -> None:
        if self._letters.remove(tx, stored.seq) and condemned is not None:
            self._letters.add(tx, condemned)
            given_up = self._given_up.get(condemned.record.topic)
            if given_up is not None and event is not None:
                given_up(tx, event)
        self._jobs.hold(tx, job)

    def _tell(self, topic: str, condemned: DeadLetter | None) -> None:
        if condemned is None:
            self._metrics.records_handled.labels(topic, "handled").inc()
            log.info("suspended record handled")
        else:
            self._metrics.records_handled.labels(topic, "dead-lettered").inc()
            self._metrics.dead_letters.labels(topic, condemned.reason.value).inc()
            log.error("suspended record dead-lettered", reason=condemned.reason.value)

    def _end(self, job: JobT_contra, tx: Transaction) -> None:
        if self._is_all_handled(tx, job.tenant):
            tx.execute(delete(self._halts).where(self._halts.c.tenant_id == job.tenant))
            self._jobs.done(tx, job)
            tx.after_commit(lambda: log.info("tenant resumed", tenant=str(job.tenant)))
        else:
            self._jobs.again(tx, job, due_in=_NOW)

    def _is_all_handled(self, tx: Transaction, tenant: Ulid) -> bool:
        """Look, and once more with the halt locked: whoever adds a letter holds it meanwhile."""
        if self._letters.waiting(tx, 1):
            return False
        tx.execute(halt_of(tenant, self._halts).with_for_update())
        return not self._letters.waiting(tx, 1)


def _decoded(record: Record) -> tuple[Event[Any] | None, PermanentError | None]:
    try:
        return decode(record), None
    except UndecodableError as refusal:
        return None, refusal


def _condemned(letter: DeadLetter, error: PermanentError) -> DeadLetter:
    undecodable = isinstance(error, UndecodableError)
    return replace(
        letter,
        reason=Reason.UNDECODABLE if undecodable else Reason.PERMANENT,
        error_class=type(error).__name__,
        detail=str(error),
        attempts=letter.attempts + (0 if undecodable else 1),
        last_failed_at=datetime.now(UTC),
    )
