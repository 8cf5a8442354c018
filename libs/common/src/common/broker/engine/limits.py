"""How much one consumer takes upon itself, and how long it may take."""

from dataclasses import dataclass
from typing import Self

from common.settings import BrokerSettings

_HANDLERS_SHARE = 0.75
"""Of a drain; the rest is for acknowledging what they finished, and for leaving the group."""
_LONGEST_DRAIN_SECONDS = 20.0
"""A group of Kafka's waits half a minute for a member to let go of what it lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """See the settings of the same names."""

    concurrency: int
    """Keys handled at the same time."""
    per_tenant: int
    """Keys of one tenant handled at the same time."""
    window_records: int
    """Records taken and not yet acknowledged."""
    window_bytes: int
    drain_seconds: float
    """For handlers to finish when their shard is taken away, or the process stops."""
    slow_seconds: float
    """A handler that runs longer is reported."""
    stall_seconds: float
    """A consumer that has work and settles nothing for so long is not alive."""

    @classmethod
    def of(cls, settings: BrokerSettings, drain_seconds: float) -> Self:
        """Take what the operator chose; `drain_seconds` are the process'.

        Handlers get most of them to finish in, and never as long as a group waits for a member.
        """
        return cls(
            concurrency=settings.concurrency,
            per_tenant=settings.per_tenant,
            window_records=settings.window_records,
            window_bytes=settings.window_bytes,
            drain_seconds=min(drain_seconds * _HANDLERS_SHARE, _LONGEST_DRAIN_SECONDS),
            slow_seconds=settings.slow_seconds,
            stall_seconds=settings.stall_seconds,
        )
