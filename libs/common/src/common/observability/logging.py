"""Structured logs: one line per outcome, a constant lower-case event, values as keys.

No phone number and no customer text leaves the process in clear: values under the names below are
masked, and so is whatever looks like a number in any other value.
"""

import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import cast

import orjson
import structlog
from opentelemetry import trace
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from common.observability import correlation
from common.settings import LogSettings

_PRIVATE = frozenset(
    (
        "text",
        "body",
        "profile_name",
        "authorization",
        "auth_token",
        "password",
        "secret",
        "media_url",
    )
)
_ADDRESS = re.compile(r"\+\d{7,15}|(?<=whatsapp:)[A-Z]{2}\.\w+")
"""A phone number, or the id that WhatsApp gives in its place to those who hide theirs."""
_HARMLESS = frozenset((int, float, bool, type(None), datetime))
"""Types of values that hold neither. Anything else is written as text."""


def configure(settings: LogSettings, service: str) -> None:
    """Set up logging for the whole process; called once, by `__main__`."""
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    level = logging.getLevelNamesMapping().get(settings.level.upper(), logging.INFO)
    shared: list[Processor] = [
        partial(_add_service, service),
        correlation.add_names,
        structlog.processors.add_log_level,
        _add_time,
        _add_trace,
    ]
    renderer = _for_people() if console else _for_machines()
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _send_libraries_through(shared, renderer)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what could identify a contact or open an account."""
    for name, value in event.items():
        if name in _PRIVATE:
            event[name] = "***"
        elif type(value) is str:
            if ("+" in value or "whatsapp:" in value) and name != "event":
                event[name] = _masked(value)
        elif type(value) not in _HARMLESS:
            event[name] = _masked(value)
    return event


def _for_people() -> list[Processor]:
    as_text = structlog.processors.format_exc_info  # so that it is masked too
    return [as_text, redact, _write_time, structlog.dev.ConsoleRenderer()]


def _for_machines() -> list[Processor]:
    # without local variables: they hold what contacts wrote
    frames = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [frames, redact, _as_json]


def _masked(value: object) -> object:
    """Mask addresses in whatever is nested, as an exception's frames are, and written as text."""
    if type(value) in _HARMLESS:
        return value
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in cast("Sequence[object]", value)]
    return _ADDRESS.sub(_mask, str(value))


def _mask(address: re.Match[str]) -> str:
    return f"{address[0][:3]}***{address[0][-2:]}"


def _add_service(service: str, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["service"] = service
    return event


def _add_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC)
    return event


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = format(span.trace_id, "032x")
    return event


def _write_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = event["timestamp"].isoformat(timespec="milliseconds")
    return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, option=orjson.OPT_UTC_Z).decode()


def _send_libraries_through(shared: list[Processor], renderer: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
