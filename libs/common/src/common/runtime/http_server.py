"""An ASGI app on a port, as a component."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from common.errors import StartError


class HttpServer:
    """Serve `app`. The port is bound at construction: a taken one is known before all else."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        """Bind; `port` 0 takes a free one. Raises `StartError` with a sentence when it cannot."""
        self._app = app
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until stopped; requests in progress are finished, new ones refused."""
        server = _Server(
            uvicorn.Config(
                self._app,
                lifespan="off",  # the composition root opens and closes what the app uses
                log_config=None,
                access_log=False,
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=20,
                timeout_graceful_shutdown=10,
            )
        )
        serving = asyncio.create_task(server.serve([self._socket]))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        finally:
            stopped.cancel()
            self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # signals are `run_until_stopped`'s


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(
            f"Port {port} on {host} cannot be used ({error.strerror}). "
            "Stop what holds it, or choose another port."
        ) from error
    listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return listener
