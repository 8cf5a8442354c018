"""What every process opens before its own parts: rows, records, metrics, health."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.transport import Transport
from common.database import Database, open_database
from common.observability.metrics import Metrics
from common.runtime.health import Health
from common.runtime.loop_watch import watched_loop
from common.settings import Environment, Settings


@dataclass(frozen=True, slots=True)
class Plumbing:
    """The long-lived resources of one process, shared by all that runs in it."""

    database: Database
    transport: Transport
    metrics: Metrics
    health: Health


@asynccontextmanager
async def open_plumbing(settings: Settings) -> AsyncGenerator[Plumbing]:
    """Open them, and close them in reverse order.

    Neither database nor broker is connected to before it is used, so a process starts, and says
    that it is not ready, while they are away.
    """
    metrics = Metrics(CollectorRegistry())
    health = Health(metrics.registry)
    async with (
        watched_loop(health, metrics, seconds=settings.health.loop_seconds),
        open_database(
            settings.database.url.get_secret_value(),
            pool_size=settings.database.pool_size,
            busy_seconds=settings.database.busy_seconds,
        ) as database,
        open_transport(
            settings.broker, strict=settings.environment is not Environment.DEVELOPMENT
        ) as transport,
    ):
        yield Plumbing(database, transport, metrics, health)
