"""What may become of a part: each change of its row, with the event and the jobs that follow.

Every method runs in a transaction that has locked the part, and schedules jobs after the row was
written: parts, then `publish`, then `reconcile` and `sender`, so that no two transactions wait for
each other in a circle.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from common.broker.outbox import Outbox, publish_key
from common.database import Transaction
from common.events import Event, Payload, SendAccepted, SendDelivered, SendFailed, Unanswered
from common.ids import derived_id
from common.jobs import Jobs
from common.jobs.policy import reason_of, stack_of
from common.observability.correlation import bind
from common.observability.metrics import Metrics, begin_at_zero
from notifier import job_kinds
from notifier.sends import error_catalogue
from notifier.sends.part import Part
from notifier.sends.repository import change, find_part_by_provider_id
from notifier.sends.statuses import PartState, Statuses, merge, standing
from notifier.settings import NotifierSection

SOURCE = "notifier"

_COUNTED = (
    *("accepted", "sent", "delivered", "read", "failed"),
    *("postponed", "uncertain", "resent", "doubled", "conflict"),
)
_LEVELS = {"doubled": "error", "conflict": "warning", "failed": "warning", "uncertain": "warning"}

log = structlog.get_logger()


class PartOutcomes:
    """Writes outcomes. A change that was written before is not written, told or published again."""

    def __init__(
        self, jobs: Jobs, outbox: Outbox, metrics: Metrics, settings: NotifierSection
    ) -> None:
        """Take the notifier's own jobs and outbox."""
        self._jobs = jobs
        self._outbox = outbox
        self._metrics = metrics
        self._settings = settings
        begin_at_zero(metrics.sends, _COUNTED)

    def learn(
        self,
        tx: Transaction,
        part: Part,
        provider_message_id: str,
        statuses: Statuses,
        error_code: int | None = None,
        *,
        is_guess: bool = False,
    ) -> None:
        """Take what the provider says of the part, from whichever source and in whatever order.

        A message that another part is known by was taken for that one by mistake, and is this
        part's; unless this `is_guess`, which must not name such a message.
        """
        if not is_guess and part.provider_message_id != provider_message_id:
            part, statuses = self._put_right(tx, part, provider_message_id, statuses)
        if part.provider_message_id not in (None, provider_message_id):
            self._tell(tx, part, "doubled", "part sent twice", other=provider_message_id)
            return
        merged = merge(part.statuses, statuses)
        if part.provider_message_id is not None and merged == part.statuses:
            return
        now = standing(merged)
        code = error_code or part.error_code
        failed = now.state is PartState.FAILED
        reason = error_catalogue.meaning(code).reason if failed else None
        change(
            tx,
            part,
            provider_message_id=provider_message_id,
            statuses=merged,
            state=now.state,
            conflict=now.conflict,
            error_code=code,
            reason=reason,
        )
        if part.provider_message_id is None:
            self._bound(tx, part, provider_message_id)
        if now.conflict:
            self._tell(tx, part, "conflict", "part failed and delivered", status=now.status)
        if reason is not None and part.state is not PartState.FAILED:
            self._announce_failure(tx, part, reason, code)
        elif now.state not in (part.state, PartState.ACCEPTED, PartState.FAILED):
            self._moved(tx, part, now.status)
        self._let_others_go_on(tx, part)

    def _put_right(
        self, tx: Transaction, part: Part, provider_message_id: str, statuses: Statuses
    ) -> tuple[Part, Statuses]:
        """Take the message from the part that it was taken for, with all that is known of it."""
        mistaken = find_part_by_provider_id(tx, part.account, provider_message_id, lock=True)
        if mistaken is None:
            return part, statuses
        change(
            tx,
            mistaken,
            provider_message_id=None,
            statuses={},
            conflict=False,
            looks=0,
            reason=None,
            error_code=None,
        )
        self.doubt(tx, mistaken, "its message is another part's")
        bare = replace(part, provider_message_id=None, statuses={})
        return bare, merge(mistaken.statuses, statuses)

    def stumble(self, tx: Transaction, part: Part, error: Exception) -> None:
        """Let a part wait that we fail over before it was handed to anybody; in the end fail it."""
        waited = tx.now - part.accepted_at
        tell_mistake(part, error)
        if waited > timedelta(seconds=self._settings.reconcile_limit_seconds):
            self.fail(tx, part, Unanswered.DEAD_LETTERED)
        else:
            self.postpone(tx, part, self._settings.retry_delay(waited))

    def fail(
        self, tx: Transaction, part: Part, reason: Unanswered, error_code: int | None = None
    ) -> None:
        """Settle that it was not sent and will not be."""
        change(tx, part, state=PartState.FAILED, reason=reason, error_code=error_code)
        self._announce_failure(tx, part, reason, error_code)
        self._let_others_go_on(tx, part)

    def postpone(
        self, tx: Transaction, part: Part, delay: timedelta, error_code: int | None = None
    ) -> None:
        """Let it wait for `delay`: it was surely not taken, and may be tried again."""
        change(
            tx,
            part,
            state=PartState.WAITING,
            not_before=tx.now + delay,
            error_code=error_code,
        )
        self._tell(tx, part, "postponed", "part postponed", seconds=delay.total_seconds())
        self._wake_sender(tx, part, due_in=delay)

    def doubt(self, tx: Transaction, part: Part, cause: str) -> None:
        """Have it looked for, and let later parts wait for a while: it may have been taken."""
        blocks = timedelta(seconds=self._settings.uncertain_blocks_seconds)
        change(tx, part, state=PartState.UNCERTAIN, not_before=tx.now + blocks)
        self._tell(tx, part, "uncertain", "part uncertain", cause=cause)
        first_look = timedelta(seconds=self._settings.reconcile_first_seconds)
        asked = part.claimed_at or tx.now
        self._jobs.schedule(
            tx,
            job_kinds.RECONCILE,
            str(part.id),
            due_in=max(timedelta(0), asked + first_look - tx.now),
            correlation=part.correlation_id,
        )

    def send_again(self, tx: Transaction, part: Part) -> None:
        """Send it once more: the provider does not know it."""
        change(tx, part, state=PartState.WAITING, not_before=tx.now, resends=part.resends + 1)
        self._tell(tx, part, "resent", "part to be sent again")
        self._wake_sender(tx, part)

    def give_up(self, tx: Transaction, part: Part, cause: str) -> None:
        """Leave it to a person: nobody could find out, and it is not sent again."""
        change(tx, part, state=PartState.NEEDS_REVIEW, reason=Unanswered.UNDER_REVIEW)
        self._announce_failure(tx, part, Unanswered.UNDER_REVIEW, part.error_code, cause=cause)
        self._let_others_go_on(tx, part)

    def _let_others_go_on(self, tx: Transaction, part: Part) -> None:
        if part.state is PartState.UNCERTAIN:  # later parts wait, and nobody looks before its limit
            self._wake_sender(tx, part)

    def _wake_sender(self, tx: Transaction, part: Part, due_in: timedelta = timedelta(0)) -> None:
        self._jobs.schedule(
            tx, job_kinds.SENDER, part.sender, due_in=due_in, correlation=part.correlation_id
        )

    def _bound(self, tx: Transaction, part: Part, provider_message_id: str) -> None:
        self._announce(
            tx,
            part,
            SendAccepted(**_about(tx, part), provider_message_id=provider_message_id),
            provider_message_id,
        )
        self._tell(tx, part, "accepted", "part accepted", provider_message_id=provider_message_id)

    def _moved(self, tx: Transaction, part: Part, status: str) -> None:
        self._announce(tx, part, SendDelivered(**_about(tx, part), status=status), status)
        self._tell(tx, part, status, "part on its way", status=status)

    def _announce_failure(
        self,
        tx: Transaction,
        part: Part,
        reason: Unanswered,
        error_code: int | None,
        **more: str,
    ) -> None:
        failed = SendFailed(**_about(tx, part), reason=reason, error_code=error_code)
        self._announce(tx, part, failed, reason)
        self._tell(tx, part, "failed", "part failed", reason=reason, code=error_code, **more)

    def _announce(self, tx: Transaction, part: Part, payload: Payload, detail: str) -> None:
        event = Event[Payload].of(
            payload,
            source=SOURCE,
            tenant=part.tenant_id,
            correlation=part.correlation_id,
            event_id=derived_id(payload.type, str(part.id), detail),
        )
        publish = publish_key(payload.key)
        self._jobs.schedule(tx, job_kinds.PUBLISH, publish, correlation=part.correlation_id)
        self._outbox.append(tx, event)

    def _tell(
        self, tx: Transaction, part: Part, outcome: str, event: str, **values: object
    ) -> None:
        """Count and log once the change is durable."""

        def told() -> None:
            self._metrics.sends.labels(outcome).inc()
            with bind(correlation=part.correlation_id, tenant=part.tenant_id):
                say = getattr(log, _LEVELS.get(outcome, "info"))
                say(event, part_id=str(part.id), message_id=str(part.send_id), **values)

        tx.after_commit(told)


def tell_mistake(part: Part, error: Exception) -> None:
    """Log what went wrong over one part that neither the provider nor the network explains."""
    log.error(
        "part not understood",
        part_id=str(part.id),
        reason=reason_of(error),
        stack=stack_of(error),
    )


def _about(tx: Transaction, part: Part) -> dict[str, Any]:
    return {
        "message": part.send_id,
        "sender": part.sender,
        "recipient": part.recipient,
        "part": part.id,
        "ordinal": part.ordinal,
        "parts": part.parts,
        "at": tx.now,
    }
