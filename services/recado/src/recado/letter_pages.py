"""Dead letters and halts as a person or a program reads them.

What a customer wrote, and who it was, is masked unless it is asked for.
"""

import json
import re
from typing import Any, cast

from common.broker.dead_letters.halts import Halt
from common.broker.dead_letters.letters import REPLAYS_HEADER
from common.ids import parse_id
from recado.dead_letter_desk import Found

_PLAIN_HEADERS = re.compile(rf"ce_\w+|traceparent|content-type|{REPLAYS_HEADER}")
_DIGITS = re.compile(r"\d(?:[\d\s().-]*\d){3,}")  # what may be a part of somebody's number


def line_of(found: Found) -> str:
    """Return one line without any content."""
    facts = summary_of(found)
    why = f"{facts['reason']} ({facts['error']})" if facts["error"] else facts["reason"]
    return (
        f"{facts['id']}  {facts['last_failed_at']}  {facts['topic']}  "
        f"tenant {facts['tenant'] or 'unknown'}  {why}  attempts {facts['attempts']}"
        f"  replays {facts['replays']}"
    )


def summary_of(found: Found) -> dict[str, Any]:
    """Return what is no content."""
    letter = found.letter
    return {
        "id": found.name,
        "topic": letter.record.topic,
        "record": letter.record_id,
        "tenant": _text(letter.tenant),
        "event": _text(letter.event),
        "correlation": _text(letter.correlation),
        "reason": letter.reason.value,
        "error": letter.error_class,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "first_failed_at": letter.first_failed_at.isoformat(timespec="seconds"),
        "last_failed_at": letter.last_failed_at.isoformat(timespec="seconds"),
    }


def page_of(found: Found, *, reveal: bool) -> dict[str, Any]:
    """Return all of a dead letter; with `reveal` as it is, else without texts and numbers."""
    letter = found.letter
    record = letter.record
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    whole = {"key": record.key, "headers": headers, "body": _body(record.value)}
    if not reveal:
        kept = {name: _PLAIN_HEADERS.fullmatch(name) is not None for name in headers}
        whole = {
            "key": masked(record.key),
            "headers": {
                name: value if kept[name] else masked(value) for name, value in headers.items()
            },
            "body": masked(whole["body"]),
        }
    detail = letter.detail if reveal else _DIGITS.sub("…", letter.detail)
    return {**summary_of(found), "detail": detail, **whole}


def masked(content: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Replace each text and number by how long it is; ids of ours, and what is empty, stay."""
    match content:
        case dict():
            members = cast("dict[str, Any]", content)
            return {name: masked(value) for name, value in members.items()}
        case list():
            return [masked(value) for value in cast("list[Any]", content)]
        case str():
            return content if not content or _is_id(content) else f"({len(content)} characters)"
        case None | bool():
            return content
        case _:
            return "(a number)"


def halt_line(service: str, halt: Halt) -> str:
    """Return one line on what stands still."""
    what = "its consumer is halted" if halt.tenant is None else f"tenant {halt.tenant} {halt.state}"
    return f"{service}: {what} since {halt.since.isoformat(timespec='seconds')}: {halt.reason}"


def halt_facts(service: str, halt: Halt) -> dict[str, Any]:
    """Return the same for a program."""
    return {
        "service": service,
        "tenant": _text(halt.tenant),
        "state": "halted" if halt.tenant is None else halt.state.value,
        "since": halt.since.isoformat(timespec="seconds"),
        "reason": halt.reason,
    }


def as_json(document: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Return one JSON document."""
    return json.dumps(document, ensure_ascii=False, indent=2)


def _body(value: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(value)
    except ValueError:
        return value.decode(errors="replace")


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except ValueError:
        return False
    return True


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
