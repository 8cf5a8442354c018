"""Twilio as the provider of messages (twilio.com/docs/messaging/api/message-resource)."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Final, TypeVar
from urllib.parse import urlencode

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
)
from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

from common.accounts import ChannelAccount
from common.observability.metrics import Metrics
from notifier.message_sender import (
    Accepted,
    ListedMessage,
    ListResult,
    NotSent,
    OutgoingMessage,
    Refused,
    SendResult,
    Unknown,
)
from notifier.settings import NotifierSection
from notifier.twilio_http import ErrorAnswerError, TwilioHttp, UnreadableAnswerError

T = TypeVar("T")
Failure = Refused | NotSent | Unknown

_RETRY_CALLBACKS: Final = "rc=5&rp=5xx,ct,rt&ct=2000&rt=4000"
"""By default Twilio calls once more, and only when it could not connect
(twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""
_LISTED: Final = 50
_CLIENTS: Final = 500
"""Some ten kilobytes each, with credentials that may be replaced."""
_SERVICE: Final = "MG"
_DEFINITE: Final = frozenset(range(400, 500)) - {408}
"""A request time-out comes from something on the way, which may have passed the request on."""


@asynccontextmanager
async def open_twilio(
    settings: NotifierSection, metrics: Metrics
) -> AsyncGenerator["TwilioSender"]:
    """Open the connections to Twilio, and close them at the end."""
    timeout = ClientTimeout(
        total=settings.call_seconds,
        connect=settings.connect_seconds,
        sock_connect=settings.connect_seconds,
        sock_read=settings.call_seconds,
    )
    async with ClientSession(timeout=timeout, cookie_jar=DummyCookieJar()) as session:
        http = TwilioHttp(session, settings.twilio_url)
        yield TwilioSender(http, settings.status_callback_base, metrics)


class TwilioSender:
    """See `MessageSender`. One client of the `twilio` package for each set of credentials."""

    def __init__(self, http: TwilioHttp, status_callback_base: str, metrics: Metrics) -> None:
        """Have Twilio call back at `status_callback_base`, the gateway's public address."""
        self._status_callback_base = status_callback_base
        self._metrics = metrics
        self._messages = lru_cache(_CLIENTS)(partial(_messages, http))

    async def create(self, account: ChannelAccount, message: OutgoingMessage) -> SendResult:
        """See `MessageSender.create`."""
        from_service = message.sender.startswith(_SERVICE)

        async def create() -> Accepted | Unknown:
            made = await self._messages_of(account).create_async(
                to=message.recipient,
                from_=values.unset if from_service else message.sender,
                messaging_service_sid=message.sender if from_service else values.unset,
                body=message.text,
                status_callback=self._status_callback(account, message),
            )
            if not made.sid:
                return Unknown("an answer without a SID")
            return Accepted(made.sid, str(made.status or "accepted"))

        return await self._measured("create", create)

    async def list_messages(
        self, account: ChannelAccount, sender: str, recipient: str
    ) -> ListResult:
        """See `MessageSender.list_messages`.

        Not filtered by `DateSent`, which a message has only once it was sent.
        """
        from_service = sender.startswith(_SERVICE)

        async def search() -> tuple[ListedMessage, ...]:
            found = await self._messages_of(account).list_async(
                to=recipient, from_=values.unset if from_service else sender, limit=_LISTED
            )
            return tuple(
                _listed(message)
                for message in found
                if not from_service or message.messaging_service_sid == sender
            )

        return await self._measured("list", search)

    async def _measured(self, operation: str, call: Callable[[], Awaitable[T]]) -> T | Failure:
        began = time.monotonic()
        result = await _attempted(call)
        failed = isinstance(result, Refused | NotSent | Unknown)
        outcome = type(result).__name__.lower() if failed else "ok"
        seconds = self._metrics.provider_seconds.labels(operation, outcome)
        seconds.observe(time.monotonic() - began)
        return result

    def _messages_of(self, account: ChannelAccount) -> MessageList:
        user, password = account.account_sid, account.auth_tokens[0]
        if account.api_key is not None and account.api_secret is not None:
            user, password = account.api_key, account.api_secret
        return self._messages(account.account_sid, user, password.get_secret_value())

    def _status_callback(self, account: ChannelAccount, message: OutgoingMessage) -> str:
        names = urlencode({"part": message.part, "correlation": message.correlation})
        path = f"/webhooks/twilio/{account.id}/status"
        return f"{self._status_callback_base}{path}?{names}#{_RETRY_CALLBACKS}"


def _messages(http: TwilioHttp, account_sid: str, user: str, password: str) -> MessageList:
    # an empty environment makes the package read the process'
    client = Client(user, password, account_sid, http_client=http, environment={"": ""})
    return client.messages


async def _attempted(call: Callable[[], Awaitable[T]]) -> T | Failure:
    try:
        return await call()
    except ErrorAnswerError as error:
        if error.http_status in _DEFINITE:
            return Refused(error.http_status, error.code, error.retry_after)
        return Unknown(str(error))
    except (ClientConnectorError, ConnectionTimeoutError) as error:
        return NotSent(type(error).__name__)
    except (
        ClientError,
        TimeoutError,
        OSError,
        TwilioException,
        UnreadableAnswerError,
        UnicodeDecodeError,
    ) as error:
        return Unknown(type(error).__name__)


def _listed(message: MessageInstance) -> ListedMessage:
    return ListedMessage(
        provider_message_id=message.sid or "",
        text=message.body or "",
        status=str(message.status or "accepted"),
        created_at=message.date_created,
        error_code=message.error_code,
    )
