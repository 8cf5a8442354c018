"""The composition root: what the gateway is made of."""

from importlib.metadata import version

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from common.accounts import AccountRegistry, SecretCipher
from common.broker.publisher import Publisher
from common.runtime import HttpServer, Plumbing, open_plumbing, run_until_stopped
from gateway.openapi import describe_webhooks
from gateway.settings import GatewaySection, GatewaySettings
from gateway.webhooks import Webhooks

log = structlog.get_logger()


async def run(settings: GatewaySettings) -> None:
    """Serve webhooks on one port, health and metrics on another, until stopped."""
    at, pages = settings.gateway, settings.health
    cipher = SecretCipher.of(settings.secrets)
    async with open_plumbing(settings) as plumbing:
        app = make_gateway(at, plumbing, cipher)
        door = HttpServer(app, host=at.host, port=at.port)
        watched = HttpServer(plumbing.health.app(), host=pages.host, port=pages.port)
        log.info("gateway serving", port=door.port, health_port=watched.port)
        await run_until_stopped(door, watched, drain_seconds=settings.drain_seconds)


def make_gateway(settings: GatewaySection, plumbing: Plumbing, cipher: SecretCipher) -> ASGIApp:
    """Make the app of `/webhooks/…`, `/docs` and `/openapi.json`, and tell health what it needs.

    It opens nothing: the plumbing is the caller's, and must outlive it.
    """
    registry = AccountRegistry(
        plumbing.database,
        cipher,
        ttl=settings.account_cache_seconds,
        patience=settings.account_read_seconds,
    )
    plumbing.health.add_dependency("broker", plumbing.transport.check)
    plumbing.health.add_dependency("accounts", registry.check)
    return Webhooks(
        settings,
        registry=registry,
        publisher=Publisher(plumbing.transport, plumbing.metrics),
        metrics=plumbing.metrics,
        rest=_pages(),
    )


def _pages() -> FastAPI:
    pages = FastAPI(
        title="Recado's gateway",
        version=version("recado-gateway"),
        description="What Twilio calls. Nothing else is served here.",
    )
    describe_webhooks(pages)
    return pages
