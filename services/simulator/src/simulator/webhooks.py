"""Twilio's side of a webhook: one POST, signed, repeated only as far as the URL's fragment asks."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from simulator.deliveries import Attempt
from simulator.overrides import Failure, overrides_of
from simulator.signature import sign

_MOST_READ = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What to post and where; the fragment of the URL says how often and how patiently."""

    url: str
    form: Mapping[str, str]
    auth_token: str
    token: str


class Webhooks:
    """Posts webhooks; made by `open_webhooks`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        retry_pause: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._retry_pause = retry_pause
        self._clock = clock

    async def post(self, webhook: Webhook) -> AsyncGenerator[Attempt]:
        """Attempt it until it is answered or nothing more was asked for; never longer than `tt`."""
        asked = overrides_of(webhook.url)
        deadline = time.monotonic() + asked.total
        for repetition in range(asked.retries + 1):
            left = deadline - time.monotonic()
            limits = aiohttp.ClientTimeout(
                total=left, connect=asked.connect, sock_connect=asked.connect, sock_read=asked.read
            )
            attempt = await self._attempt(webhook, limits)
            yield attempt
            pause = self._retry_pause * 2**repetition
            repeats = asked.retries_after(status_code=attempt.status_code, failure=attempt.failure)
            if not repeats or time.monotonic() + pause >= deadline:
                return
            await asyncio.sleep(pause)

    async def _attempt(self, webhook: Webhook, limits: aiohttp.ClientTimeout) -> Attempt:
        at, begun = self._clock(), time.monotonic()
        outcome = await self._request(webhook, limits)
        seconds = time.monotonic() - begun
        if isinstance(outcome, int):
            return Attempt(at=at, seconds=seconds, status_code=outcome)
        return Attempt(at=at, seconds=seconds, failure=outcome)

    async def _request(self, webhook: Webhook, limits: aiohttp.ClientTimeout) -> int | Failure:
        target = webhook.url.partition("#")[0]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "X-Twilio-Signature": sign(webhook.auth_token, target, webhook.form),
            "I-Twilio-Idempotency-Token": webhook.token,
            "X-Home-Region": "us1",
        }
        # The URL is signed as it stands, so it must travel as it stands.
        request = self._session.post(
            URL(target, encoded=True),
            data=urlencode(webhook.form).encode(),
            headers=headers,
            timeout=limits,
        )
        try:
            async with request as response:
                await response.content.read(_MOST_READ)
                return response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return "ct"
        except (aiohttp.ClientError, TimeoutError):
            return "rt"


@asynccontextmanager
async def open_webhooks(
    *, retry_pause: float, clock: Callable[[], float]
) -> AsyncGenerator[Webhooks]:
    """Open the client.

    Every request has a connection of its own, so that a server that went away shows as a connection
    that fails, and not as a request that was lost on an old one.
    """
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Webhooks(session, retry_pause=retry_pause, clock=clock)
