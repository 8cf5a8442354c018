"""The verdict on one run: what contacts were promised, against what the provider was asked for.

The provider's ledger says what was accepted from contacts and what was sent to them; the
product's rows say what it believes. A message is lost when it was answered 200 and has no outcome,
silent when its outcome says replied and the provider was never asked, duplicated when the provider
was asked for one part twice, or for a part of a reply that covers no message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from typing import Any, Self

from common.ids import parse_id
from processor.conversation.rules import REPLIED
from tests.faults.rows import Rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts over one run or many."""

    accepted: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    silent: int = 0
    uncertain: int = 0
    redelivered: int = 0

    def __add__(self, other: Self) -> "Verdict":
        return Verdict(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def broken(self) -> bool:
        """Whether a promise was broken; a part of unknown outcome breaks none by itself."""
        return bool(self.lost + self.duplicated + self.out_of_order + self.silent)

    def __str__(self) -> str:
        return " ".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))


def judge(ledger: dict[str, Any], rows: Rows) -> Verdict:
    """Compare the simulator's ledger with the product's rows once both are quiet."""
    accepted = [one for one in ledger["inbound"] if one["accepted"]]
    created = [parse_id(one["part"]).hex for one in ledger["creates"] if one["message_sid"]]
    wanted = {part for reply in rows.replies.values() for part in rows.parts.get(reply, ())}
    return Verdict(
        accepted=len(accepted),
        lost=sum(rows.outcomes.get(one["sid"]) is None for one in accepted),
        duplicated=len(created) - len(set(created) & wanted),
        out_of_order=_out_of_order(accepted, created, rows),
        silent=sum(_silent(rows, one["sid"], created) for one in accepted),
        uncertain=rows.states["uncertain"] + rows.states["needs_review"],
        redelivered=sum(len(one["attempts"]) - 1 for one in accepted),
    )


def _silent(rows: Rows, sid: str, created: Sequence[str]) -> bool:
    parts = rows.parts.get(rows.replies.get(sid, ""), [])
    whole = bool(parts) and all(part in created for part in parts)
    return rows.outcomes.get(sid) == REPLIED and not whole


def _out_of_order(accepted: Sequence[dict[str, Any]], created: Sequence[str], rows: Rows) -> int:
    """Count pairs of messages of a contact that were accepted in one order and answered in another.

    Twilio promises no order, and a webhook that is repeated may be overtaken: one message is surely
    before another only if it was answered 200 before the other's first attempt.
    """
    places = {part: place for place, part in reversed(list(enumerate(created)))}
    faults = 0
    for one, other in permutations(accepted, 2):
        if one["contact"] == other["contact"] and _accepted_at(one) < other["attempts"][0]["at"]:
            earlier, later = (_places(rows, each["sid"], places) for each in (one, other))
            faults += bool(earlier and later) and max(earlier) > max(later)
    return faults


def _accepted_at(one: dict[str, Any]) -> float:
    codes = ((attempt, attempt["status_code"]) for attempt in one["attempts"])
    first = next(attempt for attempt, code in codes if code is not None and code < 400)
    return first["at"] + first["seconds"]


def _places(rows: Rows, sid: str, places: dict[str, int]) -> list[int]:
    parts = rows.parts.get(rows.replies.get(sid, ""), [])
    return [places[part] for part in parts if part in places]
