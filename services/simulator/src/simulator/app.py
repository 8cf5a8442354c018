"""The composition root of the simulator: opens the ledger and the client, and closes them again."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from common.errors import StartError
from common.runtime import Health, HttpServer, run_until_stopped
from common.settings import Environment
from simulator.accept_message import AcceptMessage
from simulator.bell import Bell
from simulator.control import Control
from simulator.deliver_webhooks import DeliverWebhooks
from simulator.hang_up import Transports
from simulator.ledger import Ledger, open_ledger
from simulator.messages_resource import MessagesResource
from simulator.phone.routes import Phone
from simulator.settings import SimulatorSection, SimulatorSettings
from simulator.statuses import Pace
from simulator.webhooks import open_webhooks
from simulator.write_as_customer import WriteAsCustomer

log = structlog.get_logger()

PREFIXES = ("/2010-04-01", "/simulator", "/phone")
"""The beginnings of all paths that the simulator serves."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """An app that answers, and a component that posts webhooks. The app's streams end with it."""

    app: ASGIApp
    webhooks: DeliverWebhooks


async def run(settings: SimulatorSettings) -> None:
    """Serve until stopped; health on a port of its own."""
    if settings.environment is not Environment.DEVELOPMENT:
        raise StartError(
            "The simulator lets anybody write as any customer: "
            "it runs only with RECADO_ENVIRONMENT=development."
        )
    health = Health(CollectorRegistry())
    at, pages = settings.simulator, settings.health
    async with open_simulator(at) as simulator:
        server = HttpServer(simulator.app, host=at.host, port=at.port)
        watched = HttpServer(health.app(), host=pages.host, port=pages.port)
        log.info("simulator serving", phone=f"http://{at.host}:{server.port}/phone")
        await run_until_stopped(
            server, watched, simulator.webhooks, drain_seconds=settings.drain_seconds
        )


@asynccontextmanager
async def open_simulator(
    settings: SimulatorSection, *, clock: Callable[[], float] = time.time
) -> AsyncGenerator[Simulator]:
    """Open the simulator's file; what an earlier run left to be posted is posted by this one."""
    bell = Bell()
    async with (
        open_ledger(settings.file) as ledger,
        open_webhooks(retry_pause=settings.retry_pause_seconds, clock=clock) as webhooks,
    ):
        yield Simulator(
            app=_app(ledger, bell, settings, clock),
            webhooks=DeliverWebhooks(ledger, webhooks, bell, clock=clock),
        )


def _app(
    ledger: Ledger, bell: Bell, settings: SimulatorSection, clock: Callable[[], float]
) -> ASGIApp:
    pace = _pace(settings)
    accept = AcceptMessage(
        pace=pace, window=settings.session_window_seconds, seed=settings.seed, clock=clock
    )
    write = WriteAsCustomer(pace=pace, seed=settings.seed, clock=clock)

    app = FastAPI(
        title="Recado: the simulator",
        openapi_url="/simulator/openapi.json",
        docs_url=None,  # the pages' scripts come from elsewhere; the simulator needs no network
        redoc_url=None,
    )
    app.include_router(Control(ledger, write, bell).router())
    app.router.routes.extend(Phone(ledger, bell).routes())
    app.router.routes.extend(MessagesResource(ledger, accept, bell, clock=clock).routes())
    return Transports(app)


def _pace(settings: SimulatorSection) -> Pace:
    return Pace(
        sent=settings.sent_seconds,
        delivered=settings.delivered_seconds,
        read=settings.read_seconds if settings.read_receipts else None,
    )
