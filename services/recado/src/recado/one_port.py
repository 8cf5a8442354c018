"""Several ASGI apps behind one port, told apart by the beginning of the path."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send


class OnePort:
    """Hand each request to the app that serves its path.

    It can be bound to a port before there is any app: connections wait until it is served.
    """

    def __init__(self) -> None:
        """Serve nothing yet."""
        self._by_prefix: dict[str, ASGIApp] = {}

    def serve(self, app: ASGIApp, prefixes: Iterable[str]) -> None:
        """Hand `app` what begins with one of `prefixes`, like `/phone`; `` takes all the rest."""
        self._by_prefix |= dict.fromkeys(prefixes, app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        first = scope.get("path", "").split("/", 2)[:2]
        app = self._by_prefix.get("/".join(first)) or self._by_prefix[""]
        await app(scope, receive, send)
