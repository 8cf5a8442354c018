"""The contract between services: what may travel on which topic, and how it is written as bytes."""

from common.events.codec import Headers, Record, UndecodableError, decode, encode, header
from common.events.envelope import Event
from common.events.payloads import (
    Channel,
    DeliveryReported,
    MediaReference,
    MessageReceived,
    Payload,
    SendAccepted,
    SendDelivered,
    SendFailed,
    SendMessage,
    Unanswered,
)
from common.events.topics import (
    DELIVERIES_REPORTED,
    DELIVERIES_UPDATED,
    MESSAGES_RECEIVED,
    MESSAGES_SEND,
    TOPICS,
    Topic,
    topic_of,
)

__all__ = [
    "DELIVERIES_REPORTED",
    "DELIVERIES_UPDATED",
    "MESSAGES_RECEIVED",
    "MESSAGES_SEND",
    "TOPICS",
    "Channel",
    "DeliveryReported",
    "Event",
    "Headers",
    "MediaReference",
    "MessageReceived",
    "Payload",
    "Record",
    "SendAccepted",
    "SendDelivered",
    "SendFailed",
    "SendMessage",
    "Topic",
    "Unanswered",
    "UndecodableError",
    "decode",
    "encode",
    "header",
    "topic_of",
]
