"""Twilio's REST resource for messages, over HTTP: `/2010-04-01/Accounts/{Sid}/Messages…`."""

import base64
import binascii
import sqlite3
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.accept_message import AcceptMessage
from simulator.bell import Bell
from simulator.create_requests import CreateAnswer, CreateCall
from simulator.faults import CreateFault
from simulator.hang_up import NoAnswer
from simulator.ledger import Ledger
from simulator.list_query import list_query
from simulator.message_json import API, message_json, messages_path
from simulator.messages import find_message, listed_messages
from simulator.senders import may_use_account
from simulator.twilio_errors import Refusal, refusal

_RESETS = frozenset({CreateFault.RESET_BEFORE_ACCEPT, CreateFault.RESET_AFTER_ACCEPT})


class MessagesResource:
    """The resource as its callers see it, Twilio's own error bodies included."""

    def __init__(
        self, ledger: Ledger, accept: AcceptMessage, bell: Bell, *, clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._accept = accept
        self._bell = bell
        self._clock = clock

    def routes(self) -> list[Route]:
        """List the routes; whatever else is asked for below the API's path is not found."""
        messages = messages_path("{account_sid}")
        return [
            Route(f"{messages}.json", self._create, methods=["POST"]),
            Route(f"{messages}.json", _refusing(self._list), methods=["GET"]),
            Route(f"{messages}/{{sid}}.json", _refusing(self._fetch), methods=["GET"]),
            Route(f"{API}/{{rest:path}}", _refusing(_not_found), methods=_ALL_METHODS),
        ]

    async def _create(self, request: Request) -> Response:
        call = _create_call(request, await request.body())
        answer = await self._ledger.transaction(lambda tx: self._accept(tx, call))
        self._bell.ring()
        return self._response(answer)

    def _response(self, answer: CreateAnswer) -> Response:
        if answer.status is None:
            hold = 0 if answer.fault in _RESETS else answer.plan.hang_seconds
            return NoAnswer(hold_seconds=hold, closing=self._bell.closed)
        headers = {"WWW-Authenticate": _CHALLENGE} if answer.status == _UNAUTHORIZED else {}
        if answer.fault is CreateFault.TOO_MANY_REQUESTS:
            headers["Retry-After"] = str(answer.plan.retry_after_seconds)
        return JSONResponse(answer.body, answer.status, headers)

    async def _list(self, request: Request) -> Response:
        account_sid = request.path_params["account_sid"]
        query = list_query(request.query_params, account_sid=account_sid, now=self._clock())

        def work(tx: sqlite3.Connection) -> list[dict[str, object]]:
            _authorize(tx, request)
            found = listed_messages(tx, query.conditions, query.values)
            return [message_json(message) for message in found]

        found = await self._ledger.read(work)
        shown = found[: query.page_size]
        path = f"{messages_path(account_sid)}.json"
        following = None
        if len(found) > len(shown):
            following = query.uri(path, query.page + 1, f"PA{shown[-1]['sid']}")
        start = query.page * query.page_size
        return JSONResponse(
            {
                "messages": shown,
                "page": query.page,
                "page_size": query.page_size,
                "start": start,
                "end": start + max(len(shown) - 1, 0),
                "uri": query.uri(path, query.page, request.query_params.get("PageToken", "")),
                "first_page_uri": query.uri(path, 0),
                "previous_page_uri": None,
                "next_page_uri": following,
            }
        )

    async def _fetch(self, request: Request) -> Response:
        def work(tx: sqlite3.Connection) -> dict[str, object]:
            _authorize(tx, request)
            message = find_message(tx, request.path_params["sid"])
            if message is None or message.account_sid != request.path_params["account_sid"]:
                raise refusal(20404, request.url.path)
            return message_json(message)

        return JSONResponse(await self._ledger.read(work))


_ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_UNAUTHORIZED = 401
_CHALLENGE = 'Basic realm="Twilio API"'


def _refusing(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def handle_or_refuse(request: Request) -> Response:
        try:
            return await handle(request)
        except Refusal as refused:
            headers = {"WWW-Authenticate": _CHALLENGE} if refused.status == _UNAUTHORIZED else {}
            return JSONResponse(refused.body, refused.status, headers)

    return handle_or_refuse


async def _not_found(request: Request) -> Response:
    raise refusal(20404, request.url.path)


def _authorize(tx: sqlite3.Connection, request: Request) -> None:
    user, password = _credentials(request)
    if not may_use_account(tx, request.path_params["account_sid"], user, password):
        raise refusal(20003)


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _create_call(request: Request, body: bytes) -> CreateCall:
    form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)

    def field(name: str) -> str:
        return form.get(name, [""])[-1]

    user, password = _credentials(request)
    return CreateCall(
        account_sid=request.path_params["account_sid"],
        user=user,
        password=password,
        recipient=field("To"),
        sender=field("From"),
        service_sid=field("MessagingServiceSid"),
        body=field("Body"),
        media=tuple(form.get("MediaUrl", [])),
        content_sid=field("ContentSid"),
        status_callback=field("StatusCallback"),
    )
