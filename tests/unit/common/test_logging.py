"""Logs: what is private never leaves the process."""

import io
import json
import logging
import sys
from collections.abc import Generator

import pytest
import structlog

from common.ids import new_id
from common.observability import correlation
from common.observability.logging import configure, redact
from common.settings import LogSettings


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Generator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = logging.getLogger().handlers, logging.getLogger().level
    configure(LogSettings(format="json"), "gateway")
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers, level = before
    logging.getLogger().setLevel(level)


def test_a_line_is_one_json_object_with_the_correlation_id(output: io.StringIO) -> None:
    one = new_id()

    with correlation.bind(correlation=one, topic="messages.received"):
        structlog.get_logger().info("record handled", attempts=1)

    line = json.loads(output.getvalue())
    assert line["event"] == "record handled"
    assert line["correlation_id"] == str(one)
    assert line["topic"] == "messages.received"
    assert line["service"] == "gateway"
    assert line["attempts"] == 1


def test_texts_and_numbers_are_masked(output: io.StringIO) -> None:
    structlog.get_logger().info("sent", text="my secret", recipient="whatsapp:+5511999990001")

    assert "my secret" not in output.getvalue()
    assert "5511999990001" not in output.getvalue()
    assert "+55***01" in output.getvalue()


def test_a_librarys_warning_is_a_line_like_ours(output: io.StringIO) -> None:
    logging.getLogger("aiohttp").warning("no answer from %s", "+5511999990001")

    line = json.loads(output.getvalue())
    assert line["logger"] == "aiohttp"
    assert line["level"] == "warning"


def test_an_exception_is_told_without_the_numbers_that_a_driver_quotes(
    output: io.StringIO,
) -> None:
    fail_and_log(held=[{"to": "whatsapp:BR.13491"}])

    assert "ValueError" in output.getvalue()
    assert "5511999990001" not in output.getvalue()
    assert "BR.13491" not in output.getvalue()


def test_what_becomes_text_only_when_it_is_written_is_masked_too(output: io.StringIO) -> None:
    cause = ConnectionError("no answer from whatsapp:+5511999990001")

    structlog.get_logger().info("call failed", cause=cause, tried=[cause], after=[1, None, 0.5])

    line = json.loads(output.getvalue())
    assert line["cause"] == "no answer from whatsapp:+55***01"
    assert line["tried"] == [line["cause"]]
    assert line["after"] == [1, None, 0.5]


def test_a_terminal_is_told_no_more_than_a_file(
    output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", output)  # pytest puts its own back before each test
    configure(LogSettings(format="console"), "gateway")
    fail_and_log()

    assert "ValueError" in output.getvalue()
    assert "5511999990001" not in output.getvalue()


def fail_and_log(**values: object) -> None:
    try:
        int("Key (address)=(whatsapp:+5511999990001) already exists")
    except ValueError:
        structlog.get_logger().exception("record failed", **values)


def test_the_event_itself_is_left_alone() -> None:
    assert redact(None, "info", {"event": "call +5511999990001"})["event"] == "call +5511999990001"
