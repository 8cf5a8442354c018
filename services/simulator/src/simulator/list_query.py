"""What a list of messages is asked for: filters and pages, as Twilio's list takes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from simulator.twilio_errors import refusal

_FILTERS = ("To", "From", "DateSent", "DateSent>", "DateSent<")
_LARGEST_PAGE = 1000
_DAY = 24 * 3600
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# A message that is not sent yet is found by the time of its creation.
_SENT = "CAST(coalesce(sent_at, created_at) AS INTEGER)"
_SOURCE = "CASE direction WHEN 'inbound' THEN contact ELSE sender END"
_DESTINATION = "CASE direction WHEN 'inbound' THEN sender ELSE contact END"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One page of a list: SQL conditions with their values, and how to ask for it again."""

    conditions: list[str]
    values: dict[str, object]
    filters: dict[str, str]
    page: int
    page_size: int

    def uri(self, path: str, page: int, token: str = "") -> str:
        """Give the address of a page, with the same filters."""
        query = self.filters | {"PageSize": str(self.page_size), "Page": str(page)}
        return f"{path}?{urlencode(query | ({'PageToken': token} if token else {}))}"


def list_query(asked: Mapping[str, str], *, account_sid: str, now: float) -> ListQuery:
    """Read the query string. What is unknown is ignored; a date that is none is refused.

    `DateSent>` and `DateSent<` include their limit. A message stays hidden until it is listed.
    """
    filters = {name: asked[name] for name in _FILTERS if asked.get(name)}
    page_size = min(max(_count(asked, "PageSize", 50), 1), _LARGEST_PAGE)
    conditions = ["account_sid = :account_sid", "listed_at <= :now"]
    values: dict[str, object] = {"account_sid": account_sid, "now": now, "limit": page_size + 1}
    for name, value in filters.items():
        _add_filter(name, value, conditions, values)
    if token := asked.get("PageToken"):
        conditions.append("seq < (SELECT seq FROM messages WHERE sid = :before)")
        values["before"] = token.removeprefix("PA")
    return ListQuery(conditions, values, filters, _count(asked, "Page", 0), page_size)


def _add_filter(name: str, value: str, conditions: list[str], values: dict[str, object]) -> None:
    if name == "To":
        conditions.append(f"{_DESTINATION} = :to")
        values["to"] = value
    elif name == "From":
        conditions.append(f"{_SOURCE} = :from")
        values["from"] = value
    elif name == "DateSent":
        conditions.append(f"{_SENT} >= :on AND {_SENT} < :on_end")
        values["on"] = _instant(value)
        values["on_end"] = _instant(value) + (_DAY if _DATE.fullmatch(value) else 1)
    else:
        bound = "not_before" if name == "DateSent>" else "not_after"
        conditions.append(f"{_SENT} {name[-1]}= :{bound}")
        values[bound] = _instant(value)


def _instant(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise refusal(20001, value) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _count(asked: Mapping[str, str], name: str, default: int) -> int:
    value = asked.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() else default
