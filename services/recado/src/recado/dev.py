"""`recado dev`: gateway, processor, notifier and a simulated Twilio in one process, on one port."""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from starlette.types import ASGIApp

from common import runtime
from common.accounts import SecretCipher
from common.errors import StartError
from common.runtime import HttpServer, Plumbing, open_plumbing, run_until_stopped
from common.settings import Environment
from gateway.app import make_gateway
from notifier.app import make_notifier
from processor.app import make_processor
from processor.seed_sample import SeedSample
from recado.announcement import Announcement
from recado.development import (
    SENDERS,
    DevelopmentSecrets,
    development_secrets,
    development_variables,
)
from recado.one_port import OnePort
from recado.operator_verbs import WRITING_SERVICES
from recado.settings import DevelopmentSettings
from recado.whereabouts import Whereabouts
from simulator.app import PREFIXES, Simulator, open_simulator

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process is found: its bound port, its folder, its made-up secrets."""

    port: OnePort
    server: HttpServer
    data: Path
    secrets: DevelopmentSecrets
    simulator_url: str | None
    """Of a simulator that runs elsewhere; None: it is one of the parts here."""
    public_url: str | None = None
    """Where webhooks are posted to, when that is not straight to this process."""

    @property
    def whereabouts(self) -> Whereabouts:
        """Return where everything answers."""
        here = f"http://{LOOPBACK}:{self.server.port}"
        return Whereabouts(
            self.public_url or here,
            self.simulator_url or here,
            self.data,
            self.secrets,
            health_url=here,
        )


def start(
    *, host: str, port: int, data: Path, simulator_url: str | None, public_url: str | None
) -> None:
    """Run until a signal comes. Raises `StartError` first of all when the port is taken."""
    one_port = OnePort()
    server = HttpServer(one_port, host=host, port=port)
    made = development_secrets(data)
    place = Place(one_port, server, data.resolve(), made, simulator_url, public_url)
    at = place.whereabouts
    defaults = development_variables(at.data, at.url, at.simulator_url, at.secrets)
    environ = defaults | {name: value for name, value in os.environ.items() if value}
    runtime.start("recado", DevelopmentSettings, partial(run, place), environ=environ)


async def run(place: Place, settings: DevelopmentSettings) -> None:
    """Migrate, seed, open every part, and serve until stopped."""
    if settings.environment is not Environment.DEVELOPMENT:
        raise StartError(
            "`recado dev` has made-up secrets and an open simulator: it runs only with "
            "RECADO_ENVIRONMENT=development. Elsewhere run the services one by one."
        )
    await _migrate(settings)
    async with open_plumbing(settings) as plumbing, AsyncExitStack() as stack:
        cipher = SecretCipher.of(settings.secrets)
        await SeedSample(plumbing.database, cipher)(
            account_sid=place.secrets.account_sid,
            auth_token=SecretStr(place.secrets.auth_token),
            senders=tuple(SENDERS),
        )
        gateway = make_gateway(settings.gateway, plumbing, cipher)
        processor = await stack.enter_async_context(make_processor(settings, plumbing))
        notifier = await stack.enter_async_context(make_notifier(settings, plumbing, cipher))
        simulator = await _simulator(place, settings, stack)
        _serve(place.port, plumbing, gateway, simulator)
        await run_until_stopped(
            place.server,
            *([simulator.webhooks] if simulator else []),
            *processor,
            *notifier,
            Announcement(place.whereabouts),
            drain_seconds=settings.drain_seconds,
        )


async def _migrate(settings: DevelopmentSettings) -> None:
    # imported here, so that only who migrates loads Alembic
    from common.database.migrations import upgrade  # noqa: PLC0415

    await upgrade(settings.database.url.get_secret_value(), WRITING_SERVICES)


async def _simulator(
    place: Place, settings: DevelopmentSettings, stack: AsyncExitStack
) -> Simulator | None:
    if place.simulator_url is not None:
        return None
    return await stack.enter_async_context(open_simulator(settings.simulator))


def _serve(
    port: OnePort, plumbing: Plumbing, gateway: ASGIApp, simulator: Simulator | None
) -> None:
    port.serve(gateway, [""])
    port.serve(plumbing.health.app(), ["/livez", "/readyz", "/metrics"])
    if simulator is not None:
        port.serve(simulator.app, PREFIXES)
