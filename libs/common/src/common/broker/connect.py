"""Open the transport that a URL names."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url

from common.broker.memory import MemoryTransport
from common.broker.sqlite.transport import SqliteTransport
from common.broker.transport import Transport
from common.database import open_database
from common.errors import StartError
from common.settings import BrokerSettings

_BUSY_SECONDS = 5.0


@asynccontextmanager
async def open_transport(
    settings: BrokerSettings, *, strict: bool = False
) -> AsyncGenerator[Transport]:
    """Open the broker at `settings.url`, and close it at the end.

    Connects when first used, so it never fails for a broker that is away. Where we are `strict`, as
    everywhere but in development, a broker that may lose records or show a password is refused.
    Raises `StartError` for a URL that names no broker, and for settings that do not fit.
    """
    scheme = settings.url.partition(":")[0]
    if scheme == "kafka":
        # imported here, so that only who uses Kafka loads its client
        from common.broker.kafka.transport import open_kafka  # noqa: PLC0415

        async with open_kafka(settings, strict=strict) as kafka:
            yield kafka
    elif scheme == "sqlite":
        async with open_database(
            _with_folder(settings.url), pool_size=1, busy_seconds=_BUSY_SECONDS
        ) as database:
            yield SqliteTransport(database, lease_seconds=settings.lease_seconds)
    elif scheme == "memory":
        yield MemoryTransport()
    else:
        raise StartError(f"RECADO_BROKER_URL starts with {scheme!r}; use kafka:// or sqlite:///.")


def _with_folder(url: str) -> str:
    path = make_url(url).database
    if not path:
        raise StartError("RECADO_BROKER_URL names no file; write sqlite:///path/to/file.db.")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"The folder of {path} cannot be made ({error.strerror}). Mend RECADO_BROKER_URL."
        ) from error
    return url
