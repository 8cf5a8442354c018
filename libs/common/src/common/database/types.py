"""Column types that mean the same on Postgres and SQLite."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from common.ids import Ulid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

JsonColumn = JSON().with_variant(JSONB(), "postgresql")


class UlidColumn(TypeDecorator[Ulid]):
    """128 bits: `uuid` on Postgres, 32 hexadecimal digits on SQLite; both sort as the id does."""

    impl = Uuid
    cache_ok = True

    def process_bind_param(self, value: Ulid | None, dialect: Dialect) -> UUID | None:
        """Hand the driver a UUID."""
        del dialect
        return None if value is None else value.to_uuid()

    def process_result_value(self, value: UUID | None, dialect: Dialect) -> Ulid | None:
        """Give back the id."""
        del dialect
        return None if value is None else Ulid.from_uuid(value)


class UtcTimestamp(TypeDecorator[datetime]):
    """An aware time: `timestamptz` on Postgres, microseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """Refuse a time without a zone: it would mean something else on each machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a time without a zone: {value}"
            raise ValueError(message)
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(
        self, value: datetime | int | None, dialect: Dialect
    ) -> datetime | None:
        """Give back an aware time in UTC."""
        del dialect
        if value is None or isinstance(value, datetime):
            return value
        return _EPOCH + value * _MICROSECOND
