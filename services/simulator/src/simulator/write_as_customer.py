"""A customer writes: what reaches Twilio from a phone, and what Twilio makes of it."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.addresses import channel_of
from simulator.consent_words import REPLIES, Consent, consent_word
from simulator.deliveries import NewDelivery, schedule
from simulator.fault_rows import drawing
from simulator.messages import Media, Message, add_message
from simulator.opt_outs import opt_in, opt_out
from simulator.senders import Sender, find_sender
from simulator.sids import new_sid
from simulator.statuses import Pace, steps
from simulator.webhook_form import inbound_form


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMessage:
    """What the customer sent; `fields` are added to the webhook's form, or replace its own."""

    contact: str
    sender: str
    text: str
    media: tuple[Media, ...] = ()
    profile_name: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


class NoSuchSenderError(Exception):
    """Nobody set up this number, or not on this channel."""


class WriteAsCustomer:
    """Store a customer's message and plan its webhook, as one transaction."""

    def __init__(self, *, pace: Pace, seed: int, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._seed = seed
        self._clock = clock

    def __call__(self, tx: sqlite3.Connection, written: CustomerMessage) -> Message:
        """Give the message as Twilio keeps it; raises `NoSuchSenderError`."""
        sender = find_sender(tx, written.sender)
        if sender is None or channel_of(written.sender) != channel_of(written.contact):
            raise NoSuchSenderError
        now = self._clock()
        message = Message(
            sid=new_sid("MM" if written.media and channel_of(sender.address) == "sms" else "SM"),
            account_sid=sender.account_sid,
            direction="inbound",
            sender=sender.address,
            contact=written.contact,
            body=written.text,
            media=written.media,
            service_sid=sender.service_sid,
            status="received",
            created_at=now,
            sent_at=now,
            updated_at=now,
            listed_at=now,
        )
        add_message(tx, message)
        form = inbound_form(message, written.profile_name) | dict(written.fields)
        self._plan_webhook(tx, message, sender, form)
        self._heed(tx, message)
        return message

    def _plan_webhook(
        self, tx: sqlite3.Connection, message: Message, sender: Sender, form: Mapping[str, str]
    ) -> None:
        with drawing(tx, seed=self._seed) as draw:
            fault = draw.inbound()
        delivery = NewDelivery(
            kind="inbound",
            message_sid=message.sid,
            status=message.status,
            url=sender.webhook_url,
            form=form,
            token=new_sid(""),
            fault=fault,
            due_at=message.created_at,
        )
        for _ in range(2 if fault else 1):
            schedule(tx, delivery)

    def _heed(self, tx: sqlite3.Connection, message: Message) -> None:
        word = consent_word(message.body) if message.channel == "sms" else None
        if word == "help" or (word and _consent_changed(tx, message, word)):
            self._reply(tx, message, word)

    def _reply(self, tx: sqlite3.Connection, message: Message, word: Consent) -> None:
        reply = Message(
            sid=new_sid("SM"),
            account_sid=message.account_sid,
            direction="outbound-reply",
            sender=message.sender,
            contact=message.contact,
            body=REPLIES[word],
            status="queued",
            created_at=message.created_at,
            updated_at=message.created_at,
            listed_at=message.created_at,
        )
        add_message(tx, reply)
        for step in steps(channel="sms", in_window=True, via_service=False, pace=self._pace):
            schedule(
                tx,
                NewDelivery(
                    kind="status",
                    message_sid=reply.sid,
                    status=step.status,
                    url=None,
                    form={},
                    token="",
                    due_at=reply.created_at + step.after,
                ),
            )


def _consent_changed(tx: sqlite3.Connection, message: Message, word: Consent) -> bool:
    change = opt_out if word == "stop" else opt_in
    return change(tx, message.sender, message.contact)
