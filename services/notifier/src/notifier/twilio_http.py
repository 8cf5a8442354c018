"""An HTTP client for the `twilio` package: bounded in time, without retries, silent about content.

The package's own asynchronous client passes no time-out on (twilio-python#925), retries creates
when asked to retry anything, and loses the headers of errors.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from logging import getLogger
from typing import Any, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import ClientSession, encode_basic_auth
from multidict import CIMultiDictProxy
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

_OK = 200
_REDIRECTION = 300
_LONGEST_REST = timedelta(hours=1)


class ErrorAnswerError(Exception):
    """Twilio, or something on the way, answered with an error."""

    def __init__(self, http_status: int, code: int | None, retry_after: timedelta | None) -> None:
        """Keep what decides about a next try; not the text, which may quote the message."""
        super().__init__(f"HTTP {http_status}, code {code}")
        self.http_status = http_status
        self.code = code
        self.retry_after = retry_after


class UnreadableAnswerError(Exception):
    """The answer is no JSON object."""


class TwilioHttp(AsyncHttpClient):
    """Sends what the `twilio` package asks for to `origin`, over a session that it does not own."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        """Take a session with its time-outs set."""
        super().__init__(getLogger("twilio"), is_async=True)
        self._session = session
        self._origin = urlsplit(origin)

    async def request(  # pyright: ignore[reportIncompatibleMethodOverride] - the package passes names
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        *,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_options: object,
    ) -> Response:
        """Return a success; raise `ErrorAnswerError`, or what `aiohttp` raises.

        The package's own `timeout` and `allow_redirects` mean nothing: the session has its bounds,
        and a redirected create would lose its form.
        """
        async with self._session.request(
            method,
            self._url(uri, params),
            data=urlencode(data, doseq=True) if data else None,
            headers=(headers or {}) | _authorization(auth),
            allow_redirects=False,
        ) as answer:
            text = await answer.text()
            body = _object(text)
            if not _OK <= answer.status < _REDIRECTION:
                raise ErrorAnswerError(answer.status, _code(body), _retry_after(answer.headers))
            if body is None:
                raise UnreadableAnswerError
            return Response(answer.status, text, dict(answer.headers))

    def _url(self, uri: str, params: dict[str, object] | None) -> URL:
        wanted = urlsplit(uri)
        query = "&".join(filter(None, (wanted.query, urlencode(params or {}, doseq=True))))
        path = self._origin.path + wanted.path
        parts = (self._origin.scheme, self._origin.netloc, path, query, "")
        return URL(urlunsplit(parts), encoded=True)


def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    return {"Authorization": encode_basic_auth(*auth)} if auth else {}


def _object(text: str) -> dict[str, Any] | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def _code(body: dict[str, Any] | None) -> int | None:
    code = (body or {}).get("code")
    return code if isinstance(code, int) else None


def _retry_after(headers: "CIMultiDictProxy[str]") -> timedelta | None:
    """Read seconds or a date (RFC 9110, 10.2.3), up to an hour: whoever wrote it may be wrong."""
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return timedelta(seconds=min(float(value), _LONGEST_REST.total_seconds()))
    try:
        rest = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(timedelta(0), rest), _LONGEST_REST)
