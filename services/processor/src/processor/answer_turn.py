"""One turn: one answer to all that is unanswered in a conversation. The story on one page.

Hold the turn, read what is unanswered → no transaction is open while the assistant works → read
again under the conversation's lock, then store the reply with its outbox row, or discard it with a
reason. Whatever arrives meanwhile schedules the job again, and gets a turn of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from common.accounts import find_permission
from common.broker.outbox import Outbox, publish_key
from common.database import Database, Transaction
from common.events import Channel, Unanswered
from common.ids import Ulid, parse_id
from common.jobs import Job, Jobs
from common.observability.metrics import Metrics, begin_at_zero
from processor.assistant import Answer, Assistant, Said, TurnContext
from processor.assistant.choice import chosen
from processor.conversation import messages
from processor.conversation import repository as conversations
from processor.conversation.models import INBOUND, Conversation, Message
from processor.conversation.replies import command_to_send, reply_in
from processor.conversation.rules import REPLIED, Happening, Patience, Step, decide, silence
from processor.identity.repository import get_tenant
from processor.job_kinds import PUBLISH

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """When a turn answers: after `burst_window` of quiet, by `burst_cap`, and never past `age`."""

    burst_window: timedelta
    burst_cap: timedelta
    age: timedelta
    history: int
    """Earlier messages that the assistant is shown."""


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn that the assistant works on; the messages it covers are fixed."""

    context: TurnContext
    covers: tuple[Ulid, ...]
    asked_at: datetime
    not_after: datetime


class AnsweredElsewhereError(Exception):
    """A covered message has an outcome already: nothing of this turn may be written."""


class AnswerTurn:
    """Handles the `turn` job of a conversation."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        outbox: Outbox,
        assistant: Assistant,
        metrics: Metrics,
        *,
        patience: Patience,
        pace: Pace,
    ) -> None:
        """Take what a turn needs; `pace` says when it answers, `patience` when silence closes."""
        self._database = database
        self._jobs = jobs
        self._outbox = outbox
        self._assistant = assistant
        self._metrics = metrics
        begin_at_zero(metrics.messages, [REPLIED, *Unanswered])
        self._patience = patience
        self._pace = pace

    async def __call__(self, job: Job) -> None:
        """Give all that is unanswered its outcome, or put that off while the contact writes."""
        turn = await self._database.transaction(partial(self._begin, job), tenant=job.tenant)
        if turn is None:
            return
        answer = await self._assistant.answer(turn.context)
        await self._database.transaction(
            partial(self._finish, job, turn, answer), tenant=job.tenant
        )

    def _begin(self, job: Job, tx: Transaction) -> OpenTurn | None:
        """Open the turn; None where it is over already, or put off while the contact writes."""
        conversation = conversations.lock(tx, parse_id(job.key))
        if conversation is None:
            self._jobs.done(tx, job)
            return None
        waiting = messages.undecided(tx, conversation.id)
        put_off = self._answer_at(waiting, tx.now) - tx.now
        if put_off > timedelta(0):
            self._jobs.again(tx, job, due_in=put_off)
            return None
        answerable = self._answerable(tx, conversation, waiting)
        if not answerable:
            self._end(tx, job, conversation)
            return None
        turn = self._open(tx, conversation, answerable)
        self._jobs.hold(tx, job)
        return turn

    def _finish(self, job: Job, turn: OpenTurn, answer: Answer, tx: Transaction) -> None:
        """Store the reply or discard it. The job's fence is last: a lost lease undoes all of it."""
        context = turn.context
        conversation = conversations.lock(tx, context.conversation)
        if conversation is None:
            self._jobs.done(tx, job)
            return
        step, reason = self._rule(tx, conversation)
        reason = reason or _too_late(turn, tx.now) or _nothing_said(answer)
        reply = None
        if reason is None:
            reply = reply_in(
                conversation,
                turn=context.turn,
                correlation=context.correlation,
                text=answer.text or "",
                assistant=answer.by,
                now=tx.now,
            )
        self._settle(
            tx,
            conversation.id,
            turn.covers,
            reason or REPLIED,
            turn=context.turn,
            reply=reply and reply.id,
        )
        if reply is not None:
            self._store(tx, conversation, step, reply, turn=turn)
        self._end(tx, job, conversation)

    def _answer_at(self, waiting: Sequence[Message], now: datetime) -> datetime:
        if not waiting:
            return now
        quiet = waiting[-1].stored_at + self._pace.burst_window
        return min(quiet, waiting[0].stored_at + self._pace.burst_cap)

    def _answerable(
        self, tx: Transaction, conversation: Conversation, waiting: Sequence[Message]
    ) -> Sequence[Message]:
        """Settle what is not to be answered, and return the rest."""
        _, reason = self._rule(tx, conversation)
        if reason is not None:
            self._settle(tx, conversation.id, _ids(waiting), reason)
            return ()
        born_after = tx.now - self._pace.age
        too_old = [message for message in waiting if message.sent_at <= born_after]
        self._settle(tx, conversation.id, _ids(too_old), Unanswered.AGE)
        return [message for message in waiting if message.sent_at > born_after]

    def _rule(self, tx: Transaction, conversation: Conversation) -> tuple[Step, Unanswered | None]:
        """Ask the rules for the reply's fate: why it may not be sent, if so."""
        standing = conversations.standing(conversation)
        step = decide(standing, Happening.REPLY, tx.now, self._patience)
        permission = find_permission(tx, conversation.sender, conversation.recipient)
        if permission is not None and permission.opted_out_at is not None:
            return step, Unanswered.OPTED_OUT
        return step, silence(step)

    def _open(
        self, tx: Transaction, conversation: Conversation, waiting: Sequence[Message]
    ) -> OpenTurn:
        tenant = get_tenant(tx)
        earlier = messages.before(tx, conversation.id, seq=waiting[0].seq, limit=self._pace.history)
        context = TurnContext(
            tenant=conversation.tenant_id,
            conversation=conversation.id,
            contact=conversation.contact_id,
            turn=conversations.open_turn(tx, conversation.id),
            correlation=waiting[-1].correlation_id,
            channel=Channel(conversation.channel),
            business=tenant.name,
            language=tenant.language,
            history=tuple(_said(direction, text) for direction, text in earlier if text),
            unanswered=tuple(message.text for message in waiting),
            model=chosen(tenant.model, tenant.model_url),
        )
        return OpenTurn(
            context,
            _ids(waiting),
            asked_at=waiting[0].sent_at,
            not_after=waiting[-1].sent_at + self._pace.age,
        )

    def _store(
        self,
        tx: Transaction,
        conversation: Conversation,
        step: Step,
        reply: Message,
        *,
        turn: OpenTurn,
    ) -> None:
        """Put the reply in the conversation's order, and the command to send it in the key's."""
        messages.add(tx, reply)
        conversations.save(tx, conversation, step, added=1)
        event = command_to_send(reply, conversation, not_after=turn.not_after)
        publish = publish_key(event.payload.key)
        self._jobs.schedule(tx, PUBLISH, publish, correlation=event.correlation)
        self._outbox.append(tx, event)
        waited = (tx.now - turn.asked_at).total_seconds()
        tx.after_commit(partial(self._metrics.reply_seconds.observe, waited))

    def _settle(
        self,
        tx: Transaction,
        conversation: Ulid,
        covered: Sequence[Ulid],
        outcome: str,
        *,
        turn: Ulid | None = None,
        reply: Ulid | None = None,
    ) -> None:
        if not covered:
            return
        settled = messages.settle(tx, covered, outcome=outcome, turn=turn, reply=reply)
        if settled != len(covered):
            raise AnsweredElsewhereError(f"{len(covered) - settled} of {len(covered)} messages")
        tx.after_commit(partial(self._tell, conversation, outcome, len(covered)))

    def _end(self, tx: Transaction, job: Job, conversation: Conversation) -> None:
        conversations.end_turn(tx, conversation.id)
        self._jobs.done(tx, job)

    def _tell(self, conversation: Ulid, outcome: str, count: int) -> None:
        self._metrics.messages.labels(outcome).inc(count)
        log.info(
            "messages settled", conversation_id=str(conversation), outcome=outcome, messages=count
        )


def _ids(waiting: Sequence[Message]) -> tuple[Ulid, ...]:
    return tuple(message.id for message in waiting)


def _said(direction: str, text: str) -> Said:
    return Said("contact" if direction == INBOUND else "us", text)


def _too_late(turn: OpenTurn, now: datetime) -> Unanswered | None:
    return Unanswered.AGE if turn.not_after <= now else None


def _nothing_said(answer: Answer) -> Unanswered | None:
    return None if (answer.text or "").strip("\0 \r\n\t") else Unanswered.NOTHING_TO_ANSWER
