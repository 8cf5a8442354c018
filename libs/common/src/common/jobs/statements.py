"""The SQL that Postgres and SQLite share, and what they spell differently.

Every time is the database's own: the clocks of two processes differ by more than a lease can bear.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Float, Integer, String, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

from common.database import UlidColumn

_DAYS = "(julianday('now') - 2440587.5)"  # since 1970

_SPELLING = {
    "postgresql": {
        "now": "clock_timestamp()",
        "later": "clock_timestamp() + make_interval(secs => :delay)",
        "never": "'infinity'",
        "least": "least",
        "seconds_left": "extract(epoch from due_at - clock_timestamp())::float",
        "locked": "for update",
    },
    "sqlite": {
        "now": f"cast({_DAYS} * 86400000000 as integer)",
        "later": f"cast(({_DAYS} + :delay / 86400) * 86400000000 as integer)",
        "never": "9223372036854775807",
        "least": "min",
        "seconds_left": f"(due_at / 1e6 - {_DAYS} * 86400)",
        "locked": "",
    },
}

_MEANING = {
    "waiting": "token is null and reason is null",
    "held": "tenant_id = :tenant and kind = :kind and key = :key and token = :token",
    "lapsed": "token is not null and lease_until < {now}",
}

# The earliest time wins. A failed job is revived; one that backs off keeps its time, or new traffic
# would burn its attempts.
_SCHEDULE = """
insert into {jobs} (tenant_id, kind, key, due_at, attempts, correlation_id, scheduled_at)
values (:tenant, :kind, :key, {later}, 0, :correlation, {now})
on conflict (tenant_id, kind, key) do update set
    due_at = case
        when {jobs}.reason is not null then excluded.due_at
        when {jobs}.token is null and {jobs}.attempts > 0 then {jobs}.due_at
        else {least}({jobs}.due_at, excluded.due_at) end,
    attempts = case when {jobs}.reason is not null then 0 else {jobs}.attempts end,
    correlation_id = coalesce(excluded.correlation_id, {jobs}.correlation_id),
    reason = null, failed_at = null
"""

_HOLD = "select token from {jobs} where {held} {locked}"

# A claim sets `due_at` to never, so a row that has another time was scheduled meanwhile.
_DELETE = "delete from {jobs} where {held} and due_at = {never}"

_RELEASE = """
update {jobs} set token = null, lease_until = null, attempts = 0
where {held} returning {seconds_left}
"""

_RELEASE_UNTIL = """
update {jobs} set token = null, lease_until = null, attempts = 0, due_at = {least}(due_at, {later})
where {held} returning {seconds_left}
"""

_BACK_OFF = """
update {jobs} set token = null, lease_until = null, due_at = {later},
    attempts = attempts - :uncounted
where {held} returning {seconds_left}
"""

# Scheduled while it ran and failed is scheduled after it failed: it is revived.
_FAIL = """
update {jobs} set token = null, lease_until = null,
    attempts = case when due_at = {never} then attempts else 0 end,
    reason = case when due_at = {never} then :reason end,
    failed_at = case when due_at = {never} then {now} end
where {held} returning case when reason is null then {seconds_left} end
"""

_TYPES: dict[str, TypeEngine[Any]] = {
    "tenant": UlidColumn(),
    "after": UlidColumn(),
    "correlation": UlidColumn(),
    "kind": String(),
    "key": String(),
    "reason": String(),
    "token": BigInteger(),
    "delay": Float(),
    "lease": Float(),
    "limit": Integer(),
    "cap": Integer(),
    "uncounted": Integer(),
}


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run inside a tenant's transaction."""

    schedule: TextClause
    hold: TextClause
    delete: TextClause
    release: TextClause
    release_until: TextClause
    back_off: TextClause
    fail: TextClause


@cache
def statements(jobs: str, dialect: str) -> Statements:
    """Spell the statements for the table `jobs`."""
    return Statements(
        schedule=spelt(_SCHEDULE, jobs, dialect),
        hold=spelt(_HOLD, jobs, dialect),
        delete=spelt(_DELETE, jobs, dialect),
        release=spelt(_RELEASE, jobs, dialect),
        release_until=spelt(_RELEASE_UNTIL, jobs, dialect),
        back_off=spelt(_BACK_OFF, jobs, dialect),
        fail=spelt(_FAIL, jobs, dialect),
    )


def spelt(sql: str, jobs: str, dialect: str) -> TextClause:
    """Put the table's name and the dialect's words into `sql`, and type its parameters."""
    words = _SPELLING[dialect]
    meaning = {name: condition.format(**words) for name, condition in _MEANING.items()}
    clause = text(sql.format(jobs=jobs, **words, **meaning))
    names = set(re.findall(r"(?<!:):(\w+)", clause.text))
    return clause.bindparams(
        *(bindparam(name, type_=kind) for name, kind in _TYPES.items() if name in names)
    )
