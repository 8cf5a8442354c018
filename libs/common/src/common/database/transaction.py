"""What a unit of work sees of the database while its transaction is open."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, CursorResult, text
from sqlalchemy.sql.base import Executable

from common.ids import Ulid


class Transaction:
    """One open transaction of one tenant; good only inside the function it was handed to."""

    def __init__(self, connection: Connection, tenant: Ulid | None) -> None:
        """Wrap a connection that has begun; `tenant` is None only at the doors of RLS."""
        self.connection = connection
        self.tenant = tenant
        self.callbacks: list[Callable[[], None]] = []

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.connection.dialect.name

    @cached_property
    def now(self) -> datetime:
        """The database's time when first asked in this transaction, in UTC."""
        if self.dialect == "sqlite":
            return datetime.now(UTC)  # the database is this process
        return self.connection.execute(text("select clock_timestamp()")).scalar_one()

    def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the event loop once the rows are durable; never if they are not."""
        self.callbacks.append(callback)


def ask_nothing(tx: Transaction) -> None:
    """Find out whether the database answers, and nothing else."""
    tx.execute(text("select 1"))
