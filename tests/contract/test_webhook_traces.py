"""What a webhook leaves behind: a log line, metrics, a span, and nothing of the customer's."""

import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from common.ids import new_id, parse_id
from common.observability import tracing
from common.observability.logging import configure
from common.settings import LogSettings
from tests.contract.gateway_door import Door, open_door

PRIVATE = ("5511987654321", "551150281000", "domingo", "Ana", "Souza", "a" * 32, "m.example")


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Generator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure(LogSettings(format="json"), "gateway")
    yield stream
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
async def door(tmp_path: Path, output: io.StringIO) -> AsyncIterator[Door]:
    del output  # a process configures its logs before it makes anything
    async with open_door(tmp_path, publish_seconds=1.0) as door:
        yield door


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("tests"))
    yield exporter
    provider.shutdown()


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def sample(door: Door, name: str, **labels: str) -> float | None:
    return door.plumbing.metrics.registry.get_sample_value(f"recado_{name}", labels)


def private_message(door: Door) -> dict[str, str]:
    return door.message(
        NumMedia="1", MediaUrl0="https://m.example/x", MediaContentType0="image/png"
    )


async def test_a_webhook_is_one_line_with_its_correlation_id(
    door: Door, output: io.StringIO
) -> None:
    await door.twilio_posts("messages", door.message())

    (line,), (event,) = lines(output), door.broker.events
    assert line["event"] == "webhook answered"
    assert line["level"] == "info"
    assert (line["kind"], line["outcome"], line["status"]) == ("messages", "accepted", 200)
    assert line["correlation_id"] == str(event.correlation)
    assert line["tenant"] == str(door.account.tenant)
    assert line["account"] == str(door.account.id)
    assert line["seconds"] < 5


async def test_a_status_is_logged_under_the_correlation_id_of_its_message(
    door: Door, output: io.StringIO
) -> None:
    correlation = new_id()

    await door.twilio_posts("status", door.status(), query=f"correlation={correlation}")

    (line,) = lines(output)
    assert (line["kind"], line["correlation_id"]) == ("status", str(correlation))


async def test_the_correlation_id_of_a_forged_status_is_not_believed(
    door: Door, output: io.StringIO
) -> None:
    forged = new_id()

    await door.twilio_posts(
        "status", door.status(), query=f"correlation={forged}", token="not the account's"
    )

    (line,) = lines(output)
    assert line["correlation_id"] != str(forged)
    assert parse_id(line["correlation_id"])


async def test_a_wrong_signature_is_logged_with_the_address_it_should_have_been_for(
    door: Door, output: io.StringIO
) -> None:
    await door.twilio_posts("messages", door.message(), token="not the account's")

    (line,) = lines(output)
    assert (line["level"], line["outcome"]) == ("warning", "forbidden")
    assert line["reason"] == "wrong signature"
    assert line["expected_url"] == f"https://hooks.example.com{door.path('messages')}"


async def test_every_refusal_is_logged_with_its_reason(door: Door, output: io.StringIO) -> None:
    path = f"/webhooks/twilio/{new_id()}/messages"
    await door.twilio_posts("messages", door.message(), path=path)
    await door.twilio_posts("messages", door.message(AccountSid="AC2"))
    await door.twilio_posts("messages", door.message(MessageSid=""))
    await door.call("/webhooks/x")
    door.broker.away = True
    await door.twilio_posts("messages", door.message())

    assert [(line["outcome"], line.get("reason")) for line in lines(output)] == [
        ("forbidden", "unknown account"),
        ("forbidden", "another account's form"),
        ("malformed", "The form has no MessageSid."),
        ("not found", None),
        ("unavailable", "broker is away: switched off"),
    ]


@pytest.mark.parametrize("trouble", ["none", "token", "broken", "away", "malformed"])
async def test_nothing_private_is_in_the_log_whatever_happens(
    door: Door, output: io.StringIO, trouble: str
) -> None:
    door.broker.broken = trouble == "broken"
    door.broker.away = trouble == "away"
    changes = {"MessageSid": "+5511987654321 domingo"} if trouble == "malformed" else {}

    await door.twilio_posts(
        "messages",
        private_message(door) | changes,
        token="not the account's" if trouble == "token" else None,
    )

    assert len(lines(output)) == 1
    assert [word for word in PRIVATE if word in output.getvalue()] == []


async def test_a_failure_of_ours_is_logged_with_its_trace(door: Door, output: io.StringIO) -> None:
    door.broker.broken = True

    await door.twilio_posts("messages", door.message())

    (line,) = lines(output)
    assert line["outcome"] == "failed"
    assert line["exception"][0]["exc_value"] == "the broker made no sense"


async def test_webhooks_are_counted_by_kind_and_outcome(door: Door) -> None:
    await door.twilio_posts("messages", door.message())
    await door.twilio_posts("messages", door.message())
    await door.twilio_posts("status", door.status(), token="not the account's")
    await door.call("/webhooks/x")

    assert sample(door, "webhooks_total", kind="messages", outcome="accepted") == 2
    assert sample(door, "webhooks_total", kind="status", outcome="forbidden") == 1
    assert sample(door, "webhooks_total", kind="unknown", outcome="not found") == 1
    assert sample(door, "webhook_seconds_count", kind="messages") == 2


async def test_a_webhook_is_one_span_and_the_record_is_traced_under_it(
    door: Door, spans: InMemorySpanExporter
) -> None:
    await door.twilio_posts("messages", private_message(door))

    named: dict[str, ReadableSpan] = {span.name: span for span in spans.get_finished_spans()}
    webhook, send = named["webhook"], named["send messages.received"]
    (event,) = door.broker.events
    assert send.parent == webhook.context
    assert dict(webhook.attributes or {}) == {
        "recado.correlation_id": str(event.correlation),
        "recado.tenant": str(door.account.tenant),
    }
    assert any(name == "traceparent" for name, _ in door.broker.records[0].headers)
    assert [word for word in PRIVATE if word in webhook.to_json() + send.to_json()] == []
