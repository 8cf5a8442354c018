"""A business sends: what Twilio does with a POST to the Messages resource."""

import sqlite3
from collections.abc import Callable

from simulator.create_requests import CreateAnswer, CreateCall, record_create
from simulator.create_rules import permitted_sender
from simulator.deliveries import NewDelivery, schedule
from simulator.fault_rows import drawing
from simulator.faults import CreateFault, Draw, plan_callbacks
from simulator.message_json import message_json
from simulator.messages import Media, Message, add_message, last_inbound_at
from simulator.senders import may_use_account
from simulator.sids import new_sid
from simulator.statuses import Pace, first_status, steps
from simulator.twilio_errors import ASYNCHRONOUS, Refusal, refusal
from simulator.webhook_form import status_form

_ANSWERED_WITH = {
    CreateFault.TOO_MANY_REQUESTS: 20429,
    CreateFault.ERROR_BEFORE_ACCEPT: 20500,
    CreateFault.ERROR_AFTER_ACCEPT: 20500,
}


class AcceptMessage:
    """Accept a message or refuse it, as one transaction, and plan what becomes of it.

    As with Twilio, nothing tells a repeated call from a second message: each makes a new one.
    """

    def __init__(self, *, pace: Pace, window: float, seed: int, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._window = window
        self._seed = seed
        self._clock = clock

    def __call__(self, tx: sqlite3.Connection, call: CreateCall) -> CreateAnswer:
        now = self._clock()
        with drawing(tx, seed=self._seed) as draw:
            try:
                answer = self._answer(tx, call, draw, now)
            except Refusal as refused:
                answer = CreateAnswer(status=refused.status, body=refused.body, plan=draw.plan)
        record_create(tx, call, answer, now=now)
        return answer

    def _answer(
        self, tx: sqlite3.Connection, call: CreateCall, draw: Draw, now: float
    ) -> CreateAnswer:
        if not may_use_account(tx, call.account_sid, call.user, call.password):
            raise refusal(20003)
        fault = draw.create()
        message = None
        if fault is None or fault.accepts:
            message = self._accept(tx, call, draw, now)
        status, body = _spoken(fault, message)
        return CreateAnswer(status=status, body=body, plan=draw.plan, fault=fault, message=message)

    def _accept(self, tx: sqlite3.Connection, call: CreateCall, draw: Draw, now: float) -> Message:
        sender = permitted_sender(tx, call)
        message = Message(
            sid=new_sid("MM" if call.media else "SM"),
            account_sid=call.account_sid,
            direction="outbound-api",
            sender=sender.address,
            contact=call.recipient,
            body=call.body,
            media=tuple(Media(url=url) for url in call.media),
            service_sid=call.service_sid or None,
            status=first_status(via_service=bool(call.service_sid)),
            created_at=now,
            updated_at=now,
            listed_at=now + (draw.plan.list_delay_seconds if draw.list() else 0),
        )
        add_message(tx, message)
        self._plan_statuses(tx, message, call.status_callback or sender.status_callback, draw)
        return message

    def _plan_statuses(
        self, tx: sqlite3.Connection, message: Message, url: str | None, draw: Draw
    ) -> None:
        heard_at = last_inbound_at(tx, message.sender, message.contact)
        path = steps(
            channel=message.channel,
            in_window=heard_at is not None and message.created_at - heard_at < self._window,
            via_service=message.service_sid is not None,
            pace=self._pace,
        )
        for callback in plan_callbacks(path, draw.callback if url else lambda: None):
            status, error_code = callback.step.status, callback.step.error_code
            form = status_form(message, status, error_code, ASYNCHRONOUS.get(error_code or 0))
            schedule(
                tx,
                NewDelivery(
                    kind="status",
                    message_sid=message.sid,
                    status=status,
                    error_code=error_code,
                    url=url,
                    form=form,
                    token=new_sid(""),
                    fault=callback.fault,
                    due_at=message.created_at + callback.after,
                ),
            )


def _spoken(
    fault: CreateFault | None, message: Message | None
) -> tuple[int | None, dict[str, object]]:
    if fault is not None and fault in _ANSWERED_WITH:
        error = refusal(_ANSWERED_WITH[fault])
        return error.status, error.body
    if fault is not None or message is None:
        return None, {}
    return 201, message_json(message)
