"""A job: one thing that a service does over time, as a row of its own database."""

import time
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from common.ids import Ulid


class LeaseLostError(Exception):
    """Another process holds the job now; what this one was about to write must not be written."""


class Outcome(StrEnum):
    """How one claim of a job ended."""

    DONE = "done"
    AGAIN = "again"
    RETRIED = "retried"
    AWAY = "dependency away"
    FAILED = "failed"
    LOST = "lease lost"
    RETURNED = "returned"
    """Given back unfinished, because the process stops."""


class JobName(NamedTuple):
    """What a service has one job for."""

    kind: str
    tenant: Ulid
    key: str


@dataclass(slots=True, eq=False)
class Job:
    """A claimed job. It holds no customer content: `key` names the rows that it is about."""

    tenant: Ulid
    kind: str
    key: str
    token: int
    """Which claim this is; greater than every earlier claim's of this service."""
    attempts: int
    """How many times it was claimed since it last got on, this claim included."""
    correlation: Ulid | None
    late: float
    """Seconds from due to this claim; where a lease ran out, from when that was seen."""
    held_until: float
    """On this process' monotonic clock: past it another may hold the job. Each renewal moves it."""
    outcome: Outcome | None = None
    """Set once the transaction that ended this claim is committed."""

    @property
    def name(self) -> JobName:
        """Which job of the service this is a claim of."""
        return JobName(self.kind, self.tenant, self.key)

    def held_for(self) -> timedelta:
        """How long this claim surely lasts; not positive when it may be another's already."""
        return timedelta(seconds=self.held_until - time.monotonic())
