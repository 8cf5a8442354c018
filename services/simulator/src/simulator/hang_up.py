"""Answers that are none: a line that is held until the caller gives up, or cut."""

import asyncio
import socket
import struct
from collections.abc import Awaitable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "simulator.transport"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Transports:
    """The outermost layer: keeps the connection within reach of an answer that cuts it.

    ASGI has no word for it. uvicorn's `send` is a method of the object that holds the transport;
    behind a server or a layer that hides it, a cut line becomes an error 500.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)


class NoAnswer(Response):
    """Hold the line for so many seconds, or until `closing` is set, then reset the connection."""

    def __init__(self, *, hold_seconds: float, closing: asyncio.Event) -> None:
        super().__init__(status_code=500)
        self._hold_seconds = hold_seconds
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = _gone(receive)
        await _first_of(gone, self._closing.wait(), seconds=self._hold_seconds)
        transport: asyncio.Transport | None = scope.get(_KEY)
        if transport is None:
            await super().__call__(scope, receive, send)
            return
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None and not transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        transport.abort()
        await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*waits: Awaitable[object], seconds: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
