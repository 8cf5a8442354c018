"""What a run may take away from the product for some seconds."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from sqlite3 import connect


class Outage(StrEnum):
    """What is gone, and how."""

    DATABASE_LOCKED = "database locked"
    BROKER_LOCKED = "broker locked"
    DISK_FULL = "disk full"
    BROKER_KILLED = "broker killed"
    BROKER_STOPPED = "broker restarted"
    BROKER_HUNG = "broker hung"
    TWO_BROKERS_KILLED = "two of three brokers killed"
    TWO_BROKERS_STOPPED = "two of three brokers restarted"
    DATABASE_KILLED = "database killed"
    DATABASE_STOPPED = "database restarted"
    DATABASE_READ_ONLY = "database read-only"


OUTAGES = {
    "sqlite": (Outage.DATABASE_LOCKED, Outage.BROKER_LOCKED, Outage.DISK_FULL),
    "kafka": (
        Outage.BROKER_KILLED,
        Outage.BROKER_STOPPED,
        Outage.BROKER_HUNG,
        Outage.TWO_BROKERS_KILLED,
        Outage.TWO_BROKERS_STOPPED,
        Outage.DATABASE_KILLED,
        Outage.DATABASE_STOPPED,
        Outage.DATABASE_READ_ONLY,
    ),
}

OF_THREE_BROKERS = frozenset((Outage.TWO_BROKERS_KILLED, Outage.TWO_BROKERS_STOPPED))
"""What needs a cluster of its own, in which a record is acknowledged by two."""


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Hold a SQLite file's lock, as another process does that stops inside its transaction."""
    with closing(connect(file, isolation_level=None, timeout=10)) as holder:
        holder.execute("begin immediate")
        yield
        holder.execute("rollback")


@contextmanager
def full(flag: Path) -> Generator[None]:
    """Let no SQLite file of a process grow that was told of this flag."""
    flag.touch()
    try:
        yield
    finally:
        flag.unlink()
