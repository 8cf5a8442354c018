"""A contact wrote: make it durable, decide who answers, and return within milliseconds."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from common.accounts import find_permission
from common.database import Database, Transaction
from common.events import Event, MessageReceived, Unanswered
from common.ids import Ulid, new_id
from common.jobs import Jobs
from common.observability.metrics import Metrics
from processor.conversation import messages
from processor.conversation import repository as conversations
from processor.conversation.models import INBOUND, Conversation, Message, storable
from processor.conversation.rules import (
    Act,
    Happening,
    Patience,
    Step,
    decide,
    next_change,
    silence,
)
from processor.identity import repository as contacts
from processor.identity.consent import Consent, consent_in
from processor.identity.models import Contact
from processor.job_kinds import TIMER, TURN

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Received:
    """What was made of a message; `outcome` is None while a turn will decide it."""

    message: Ulid
    conversation: Ulid
    outcome: Unanswered | None


class ReceiveMessage:
    """Handles `MessageReceived`: however often it is delivered, it is stored and answered once."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        metrics: Metrics,
        *,
        patience: Patience,
        burst_window: timedelta,
    ) -> None:
        """Answer after `burst_window`, so that what is written in one go is answered in one."""
        self._database = database
        self._jobs = jobs
        self._metrics = metrics
        self._patience = patience
        self._burst_window = burst_window

    async def __call__(self, event: Event[MessageReceived]) -> None:
        """Store the message and what follows from it in one transaction."""
        received = await self._database.transaction(
            partial(self._receive, event), tenant=event.tenant
        )
        if received is None:
            log.info("message already received")
            return
        if received.outcome is not None:
            self._metrics.messages.labels(received.outcome).inc()
        log.info(
            "message received",
            message_id=str(received.message),
            conversation_id=str(received.conversation),
            outcome=received.outcome or "to be answered",
        )

    def _receive(self, event: Event[MessageReceived], tx: Transaction) -> Received | None:
        payload = event.payload
        contact = _contact(tx, payload)  # held from here on: one message of a contact at a time
        if messages.is_stored(
            tx, account=payload.account, provider_message_id=payload.provider_message_id
        ):
            return None
        consent, opted_out = _heed(tx, payload)
        conversation, step = self._conversation(tx, contact, payload, consent)
        message = _message(event, conversation, tx)
        message.outcome = _outcome(step, consent, opted_out=opted_out, text=message.text)
        messages.add(tx, message)
        conversations.save(tx, conversation, step, added=1)
        if message.outcome is None:
            self._jobs.schedule(
                tx,
                TURN,
                str(conversation.id),
                due_in=self._burst_window,
                correlation=event.correlation,
            )
        return Received(message.id, conversation.id, message.outcome)

    def _conversation(
        self, tx: Transaction, contact: Contact, payload: MessageReceived, consent: Consent | None
    ) -> tuple[Conversation, Step]:
        """Return the conversation that the message belongs to, and what it makes of it."""
        happening = Happening.OPT_OUT if consent is Consent.STOP else Happening.MESSAGE
        found = conversations.lock_open(tx, contact=contact.id, sender=payload.sender)
        if found is not None:
            step = decide(conversations.standing(found), happening, tx.now, self._patience)
            if step.act is not Act.REOPEN:
                return found, step
            conversations.save(tx, found, step)
        fresh = conversations.add(
            tx,
            tenant=contact.tenant_id,
            contact=contact.id,
            account=payload.account,
            channel=payload.channel,
            sender=payload.sender,
            recipient=payload.contact,
        )
        self._watch(tx, fresh)
        return fresh, decide(conversations.standing(fresh), happening, tx.now, self._patience)

    def _watch(self, tx: Transaction, conversation: Conversation) -> None:
        due = next_change(conversations.standing(conversation), self._patience)
        if due is not None:
            self._jobs.schedule(tx, TIMER, str(conversation.id), due_in=due - tx.now)


def _contact(tx: Transaction, payload: MessageReceived) -> Contact:
    return contacts.known_contact(
        tx,
        channel=payload.channel,
        address=payload.contact,
        profile_name=storable(payload.profile_name or "") or None,
    )


def _heed(tx: Transaction, payload: MessageReceived) -> tuple[Consent | None, bool]:
    """Return what the message says about consent, and whether the contact is opted out now."""
    permission = find_permission(tx, payload.sender, payload.contact)
    was_out = permission is not None and permission.opted_out_at is not None
    consent = consent_in(
        payload.text,
        channel=payload.channel,
        opted_out=was_out,
        opt_out_type=payload.attributes.get("OptOutType"),
    )
    contacts.record_inbound(
        tx,
        sender=payload.sender,
        address=payload.contact,
        at=payload.received_at,
        consent=consent,
    )
    return consent, consent is Consent.STOP or (was_out and consent is not Consent.START)


def _message(event: Event[MessageReceived], conversation: Conversation, tx: Transaction) -> Message:
    payload = event.payload
    return Message(
        tenant_id=event.tenant,
        id=new_id(),
        conversation_id=conversation.id,
        seq=conversation.next_seq,
        direction=INBOUND,
        account_id=payload.account,
        provider_message_id=payload.provider_message_id,
        correlation_id=event.correlation,
        text=storable(payload.text),
        media=[medium.model_dump() for medium in payload.media],
        attributes={storable(name): storable(value) for name, value in payload.attributes.items()},
        sent_at=payload.received_at,
        stored_at=tx.now,
    )


def _outcome(
    step: Step, consent: Consent | None, *, opted_out: bool, text: str
) -> Unanswered | None:
    """Return why nobody answers the message; None where the assistant is to."""
    if opted_out:
        return Unanswered.OPTED_OUT
    if (silent := silence(step)) is not None:
        return silent
    if consent is not None or not text.strip():  # what Twilio answers itself, or media alone
        return Unanswered.NOTHING_TO_ANSWER
    return None
