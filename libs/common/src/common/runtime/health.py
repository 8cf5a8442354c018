"""`/livez`, `/readyz` and `/metrics` of every process.

Liveness says that the process gets on: the event loop turns, and work that is there is done.
A dependency that is away must not make Kubernetes restart us. Readiness says what is missing, by
name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from common.errors import DependencyDown

_PATIENCE_SECONDS = 1.0

Check = Callable[[], Awaitable[str | None]]
"""Returns None when ready, else a few words on what is missing."""


_OK = PlainTextResponse("ok\n")


class Health:
    """The checks of one process, and the three pages that show them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Serve the metrics of `registry`."""
        self._registry = registry
        self._checks: dict[str, Check] = {}
        self._liveness: dict[str, Check] = {}
        self.routes = [
            Route("/livez", self._livez),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
        ]

    def add(self, name: str, check: Check) -> None:
        """Ask `check` whenever readiness is asked for; it must answer within about a second."""
        self._checks[name] = check

    def add_liveness(self, name: str, check: Check) -> None:
        """Ask `check` whenever liveness is asked for: what it misses, only a restart brings back.

        It must not wait for anything, and pass while a dependency is away.
        """
        self._liveness[name] = check

    def add_dependency(self, name: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Be unready while `ask` raises `DependencyDown`, or does not answer in a second."""

        async def check() -> str | None:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await ask()
            except DependencyDown as down:
                return str(down)
            except TimeoutError:
                return "no answer"
            return None

        self.add(name, check)

    def app(self) -> Starlette:
        """Make an app of the three pages alone, for a process that serves nothing else."""
        return Starlette(routes=self.routes)

    async def missing(self) -> dict[str, str]:
        """Return what is not ready, and why."""
        return await _unmet(self._checks)

    async def stuck(self) -> dict[str, str]:
        """Return what does not get on any more, and why."""
        return await _unmet(self._liveness)

    async def _livez(self, _request: Request) -> Response:
        stuck = await self.stuck()
        return JSONResponse({"live": False, "stuck": stuck}, 503) if stuck else _OK

    async def _readyz(self, _request: Request) -> Response:
        missing = await self.missing()
        return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


async def _unmet(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = {name: await check() for name, check in checks.items()}
    return {name: answer for name, answer in answers.items() if answer is not None}
