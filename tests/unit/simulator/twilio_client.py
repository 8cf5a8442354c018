"""Twilio's own client, calling the simulator."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from tests.unit.simulator.world import ACCOUNT, TOKEN

P = ParamSpec("P")
T = TypeVar("T")


class HttpClientToSimulator(TwilioHttpClient):
    """Twilio's client, but for the host it calls."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=5)
        self._url = url

    def request(
        self,
        method: str,
        uri: str,
        *args: Any,  # noqa: ANN401 - whatever the library sends
        **options: Any,  # noqa: ANN401 - as above
    ) -> Response:
        ours = uri.replace("https://api.twilio.com", self._url)
        return super().request(method, ours, *args, **options)


def twilio_client(url: str, user: str = ACCOUNT, password: str = TOKEN) -> Client:
    """Sign in to the account; `user` may be one of its API keys."""
    return Client(user, password, ACCOUNT, http_client=HttpClientToSimulator(url))


async def blocking(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    return await asyncio.to_thread(partial(call, *args, **options))


async def refused(client: Client, **call: str) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as refusal:
        await blocking(client.messages.create, **call)
    return refusal.value
