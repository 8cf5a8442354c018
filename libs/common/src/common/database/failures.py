"""Which of a driver's errors mean that the database is away, and not that the work is wrong.

Postgres' classes are those of its appendix A (error codes), SQLite's its result codes by name.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from common.errors import DependencyDown

# connection, resources, operator intervention, serialization and deadlock, lock not available,
# read-only (a failover), killed while idle in a transaction
_AWAY = ("08", "53", "57", "40", "55P03", "25006", "25P03", "25P04")
_SQLITE_AWAY = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
)


@contextmanager
def classified(database: str) -> Generator[None]:
    """Raise `DependencyDown` for a driver's error that means it; let every other one through."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DependencyDown(database, "no free connection in time") from error
    except DBAPIError as error:
        if _is_away(error):
            raise DependencyDown(database, _first_line(error.orig or error)) from error
        raise
    except (OSError, TimeoutError) as error:
        raise DependencyDown(database, _first_line(error)) from error


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    cause: BaseException | None = error.orig
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", "").startswith(_SQLITE_AWAY)
    code = getattr(cause, "sqlstate", None)
    if code is not None:
        return str(code).startswith(_AWAY)
    # The driver's own errors carry no code: asyncpg reports a killed connection as an
    # InternalClientError ("cannot switch to state"), and its InterfaceError means a closed one.
    text = str(cause)
    return "cannot switch to state" in text or "connection" in text.lower()


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
