"""The steps of a message's way at which the product is killed, before or after each."""

import importlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

from common.events import (
    DELIVERIES_REPORTED,
    DELIVERIES_UPDATED,
    MESSAGES_RECEIVED,
    MESSAGES_SEND,
    Topic,
)

PUBLISH = "common.broker.sqlite_transport:SqliteTransport.publish"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the product, and the side of it on which the process dies."""

    side: Literal["before", "after"]
    call: str
    """`module:Class.method`, of an asynchronous method."""
    topic: Topic | None = None
    """For calls that take a record: count those of this topic only."""

    @property
    def name(self) -> str:
        where = f" {self.topic.name}" if self.topic else ""
        return f"{self.side} {self.call.partition(':')[2]}{where}"

    def counts(self, arguments: tuple[Any, ...]) -> bool:
        return self.topic is None or arguments[0].topic == self.topic.name


def _both(call: str, topic: Topic | None = None) -> tuple[Step, Step]:
    return Step("before", call, topic), Step("after", call, topic)


STEPS = (
    *_both(PUBLISH, MESSAGES_RECEIVED),
    *_both("processor.receive_message:ReceiveMessage.__call__"),
    Step("before", "processor.answer_turn:AnswerTurn.__call__"),
    *_both("processor.assistant.knowledge_assistant:KnowledgeAssistant.answer"),
    Step("after", "processor.answer_turn:AnswerTurn.__call__"),
    *_both(PUBLISH, MESSAGES_SEND),
    Step("after", "processor.publish_replies:PublishReplies.__call__"),
    *_both("notifier.accept_send:AcceptSend.__call__"),
    Step("before", "notifier.deliver_sends:DeliverSends.__call__"),
    *_both("notifier.twilio_sender:TwilioSender.create"),
    Step("after", "notifier.deliver_sends:DeliverSends.__call__"),
    *_both(PUBLISH, DELIVERIES_UPDATED),
    *_both(PUBLISH, DELIVERIES_REPORTED),
    *_both("notifier.track_delivery:TrackDelivery.__call__"),
    *_both("processor.record_delivery:RecordDelivery.__call__"),
)


def arm(step: Step, occasion: int) -> None:
    """Make this process end as by `kill -9` at the given occasion of the step, from 1."""
    module, _, path = step.call.partition(":")
    owner_name, method_name = path.split(".")
    owner = getattr(importlib.import_module(module), owner_name)
    original: Callable[..., Awaitable[Any]] = getattr(owner, method_name)
    occasions = iter(range(1, occasion + 1))

    @wraps(original)
    async def watched(self: object, *arguments: object, **named: object) -> object:
        deadly = step.counts(arguments) and next(occasions, None) == occasion
        if deadly and step.side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(self, *arguments, **named)
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method_name, watched)
