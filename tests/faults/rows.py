"""What the product believes at the end, from whichever database it keeps it in."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg


class _Row(Protocol):
    """A row of either database."""

    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401 - what a row holds


@dataclass(frozen=True, slots=True)
class Rows:
    """What the product's database holds at the end of a run."""

    outcomes: dict[str, str | None]
    """Of each inbound message, by the provider's id."""
    replies: dict[str, str]
    """The reply that covers a message, by the provider's id."""
    parts: dict[str, list[str]]
    """The parts of each reply, in order."""
    states: Counter[str]

    @property
    def open_parts(self) -> int:
        """Parts whose fate at the provider is not known yet."""
        return sum(self.states[state] for state in ("waiting", "claimed", "uncertain"))


_INBOUND = (
    "select provider_message_id as sid, outcome, reply_id from messages where direction = 'inbound'"
)
_PARTS = "select id, send_id, state from send_parts order by send_id, ordinal"


def sqlite_rows(database: Path) -> Rows:
    """Read the product's SQLite file, whoever else has it open."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return _rows(connection.execute(_INBOUND).fetchall(), connection.execute(_PARTS).fetchall())


async def postgres_rows(url: str) -> Rows:
    """Read the product's database as a superuser, from whom row-level security hides nothing."""
    connection = await asyncpg.connect(url)
    try:
        return _rows(await connection.fetch(_INBOUND), await connection.fetch(_PARTS))
    finally:
        await connection.close()


def _rows(inbound: Iterable[_Row], parts: Sequence[_Row]) -> Rows:
    by_reply: dict[str, list[str]] = {}
    for part in parts:
        by_reply.setdefault(_hex(part["send_id"]), []).append(_hex(part["id"]))
    messages = list(inbound)
    return Rows(
        outcomes={one["sid"]: one["outcome"] for one in messages},
        replies={one["sid"]: _hex(one["reply_id"]) for one in messages if one["reply_id"]},
        parts=by_reply,
        states=Counter(part["state"] for part in parts),
    )


def _hex(kept: str | UUID) -> str:
    """An id as SQLite keeps it; Postgres gives its own kind."""
    return kept.hex if isinstance(kept, UUID) else kept
