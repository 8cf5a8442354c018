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

PUBLISH = {
    "sqlite": "common.broker.sqlite.transport:SqliteTransport.publish",
    "kafka": "common.broker.kafka.transport:KafkaTransport.publish",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the product, and the side of it on which the process dies."""

    service: str
    """Whose process it is, where each has its own."""
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


def _both(service: str, call: str, topic: Topic | None = None) -> tuple[Step, Step]:
    return Step(service, "before", call, topic), Step(service, "after", call, topic)


def _steps(publish: str) -> tuple[Step, ...]:
    return (
        *_both("gateway", publish, MESSAGES_RECEIVED),
        *_both("processor", "processor.receive_message:ReceiveMessage.__call__"),
        *_both("processor", "processor.answer_turn:AnswerTurn.__call__"),
        *_both("processor", "processor.assistant.knowledge_assistant:KnowledgeAssistant.answer"),
        *_both("processor", publish, MESSAGES_SEND),
        Step("processor", "after", "processor.publish_replies:PublishReplies.__call__"),
        *_both("notifier", "notifier.accept_send:AcceptSend.__call__"),
        *_both("notifier", "notifier.deliver_sends:DeliverSends.__call__"),
        *_both("notifier", "notifier.twilio_sender:TwilioSender.create"),
        *_both("notifier", publish, DELIVERIES_UPDATED),
        *_both("gateway", publish, DELIVERIES_REPORTED),
        *_both("notifier", "notifier.track_delivery:TrackDelivery.__call__"),
        *_both("processor", "processor.record_delivery:RecordDelivery.__call__"),
    )


STEPS = {transport: _steps(publish) for transport, publish in PUBLISH.items()}


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
