"""Event ⇄ record: CloudEvents' binary mode, attributes in `ce_…` headers and the payload as JSON.

CloudEvents' Kafka binding names the headers; `ce_tenantid` and `ce_correlationid` are ours.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from common.errors import PermanentError
from common.events.envelope import Event
from common.events.topics import TOPICS, topic_of
from common.ids import parse_id

_PAYLOADS = {payload.type: (topic.name, payload) for topic in TOPICS for payload in topic.payloads}

Headers = tuple[tuple[str, bytes], ...]


@dataclass(slots=True)  # not frozen, which would cost a consumer more than reading it
class Record:
    """An event as bytes, as a broker carries it; nobody changes one."""

    topic: str
    key: str
    headers: Headers
    value: bytes


class UndecodableError(PermanentError):
    """The bytes are not an event that this version knows."""


def header(record: Record, name: str) -> str | None:
    """Return a header as text, or None where it is absent or not text."""
    for key, value in record.headers:
        if key == name:
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
    return None


def encode(event: Event[Any]) -> Record:
    """Write an event as a record of its topic."""
    payload = event.payload
    return Record(
        topic=topic_of(payload).name,
        key=payload.key,
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", str(event.id).encode()),
            ("ce_source", event.source.encode()),
            ("ce_type", payload.type.encode()),
            ("ce_time", event.time.isoformat().encode()),
            ("ce_tenantid", str(event.tenant).encode()),
            ("ce_correlationid", str(event.correlation).encode()),
            ("content-type", b"application/json"),
        ),
        value=payload.model_dump_json().encode(),
    )


def decode(record: Record) -> Event[Any]:
    """Read a record; an `UndecodableError` says what is wrong with it, without its content."""
    kind = header(record, "ce_type") or ""
    topic, payload = _PAYLOADS.get(kind, (None, None))
    if payload is None or topic != record.topic:
        message = f"no payload of type {kind!r} belongs on {record.topic}"
        raise UndecodableError(message)
    try:
        return Event(
            id=parse_id(_required(record, "ce_id")),
            source=_required(record, "ce_source"),
            time=datetime.fromisoformat(_required(record, "ce_time")),
            tenant=parse_id(_required(record, "ce_tenantid")),
            correlation=parse_id(_required(record, "ce_correlationid")),
            payload=payload.model_validate_json(record.value),
        )
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        message = f"{kind}: wrong or missing {fields or 'JSON'}"
        raise UndecodableError(message) from None
    except ValueError as error:
        raise UndecodableError(str(error)) from None


def _required(record: Record, name: str) -> str:
    value = header(record, name)
    if value is None:
        message = f"header {name} is missing"
        raise UndecodableError(message)
    return value
