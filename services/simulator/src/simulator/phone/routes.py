"""The page, its files, and the stream of what happens in the conversation it shows."""

import asyncio
import re
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.bell import Bell
from simulator.conversation import changes_after
from simulator.ledger import Ledger

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_HEARTBEAT_SECONDS = 15.0
_CURSOR = re.compile(r"[0-9]{1,18}")


class Phone:
    """Serves the page; every message it shows comes over the stream."""

    def __init__(
        self, ledger: Ledger, bell: Bell, *, heartbeat_seconds: float = _HEARTBEAT_SECONDS
    ) -> None:
        self._ledger = ledger
        self._bell = bell
        self._heartbeat_seconds = heartbeat_seconds

    def routes(self) -> list[Route]:
        """List the routes."""
        return [
            Route("/phone", self._page),
            Route("/phone/static/{name}", self._file),
            Route("/phone/events", self._events),
        ]

    async def _page(self, _: Request) -> Response:
        return FileResponse(_HERE / "page.html", headers=_HEADERS)

    async def _file(self, request: Request) -> Response:
        static = {file.name: file for file in (_HERE / "static").iterdir()}
        file = static.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404)
        return FileResponse(file, headers=_HEADERS)

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        seen = request.headers.get("Last-Event-ID") or query.get("after", "")
        stream = self.follow(
            sender=query.get("sender", ""),
            contact=query.get("contact", ""),
            after=int(seen) if _CURSOR.fullmatch(seen) else 0,
        )
        return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)

    async def follow(self, *, sender: str, contact: str, after: int) -> AsyncGenerator[str]:
        """Send what the reader has not seen, then what comes, until the simulator ends.

        `ready` says that the past is complete; `heartbeat` that the line still stands.
        """
        yield "retry: 1000\n\n"
        event = "ready"
        with self._bell.listen() as rung:
            while not self._bell.closed.is_set():
                rung.clear()
                bubbles = await self._ledger.read(
                    partial(changes_after, sender=sender, contact=contact, cursor=after)
                )
                for bubble in bubbles:
                    after = bubble.cursor
                    yield f"id: {after}\ndata: {bubble.model_dump_json()}\n\n"
                if bubbles:
                    continue
                if event:
                    yield f"event: {event}\ndata: {{}}\n\n"
                event = await self._pause(rung)

    async def _pause(self, rung: asyncio.Event) -> str:
        try:
            async with asyncio.timeout(self._heartbeat_seconds):
                await rung.wait()
        except TimeoutError:
            return "heartbeat"
        return ""
