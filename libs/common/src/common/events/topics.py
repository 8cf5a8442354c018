"""The topics: who writes, who reads, and what may travel on each."""

from dataclasses import dataclass

from common.events.payloads import (
    DeliveryReported,
    MessageReceived,
    Payload,
    SendAccepted,
    SendDelivered,
    SendFailed,
    SendMessage,
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream of records with exactly one consuming service."""

    name: str
    payloads: tuple[type[Payload], ...]
    key: str
    producer: str
    consumer: str


MESSAGES_RECEIVED = Topic(
    "messages.received",
    (MessageReceived,),
    key="account id, `To` and `From`, as received",
    producer="gateway",
    consumer="processor",
)
MESSAGES_SEND = Topic(
    "messages.send",
    (SendMessage,),
    key="sender and recipient",
    producer="processor",
    consumer="notifier",
)
DELIVERIES_REPORTED = Topic(
    "deliveries.reported",
    (DeliveryReported,),
    key="provider message id",
    producer="gateway",
    consumer="notifier",
)
DELIVERIES_UPDATED = Topic(
    "deliveries.updated",
    (SendAccepted, SendDelivered, SendFailed),
    key="sender and recipient",
    producer="notifier",
    consumer="processor",
)

TOPICS = (MESSAGES_RECEIVED, MESSAGES_SEND, DELIVERIES_REPORTED, DELIVERIES_UPDATED)

_CARRIER = {payload: topic for topic in TOPICS for payload in topic.payloads}


def topic_of(payload: Payload) -> Topic:
    """Return the topic that carries this payload; an unlisted payload is a mistake of ours."""
    return _CARRIER[type(payload)]
