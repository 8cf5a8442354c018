"""A webhook's request, read within limits; what its head gives away is refused before its body."""

import asyncio
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Receive, Scope

from common.ids import Ulid, parse_id
from gateway import answers
from gateway.answers import RefusedError

KINDS = ("messages", "status")
PREFIX = "/webhooks/"

_PATH = b"/webhooks/twilio/"
_FORM_TYPE = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Head:
    """Everything but the body."""

    kind: str
    account: Ulid
    path: bytes
    query: bytes
    signature: bytes | None

    @property
    def target(self) -> bytes:
        """Path and query as they came, which is how Twilio signs them."""
        return self.path + b"?" + self.query if self.query else self.path


def read_head(scope: Scope, *, header_bytes: int, body_bytes: int) -> Head:
    """Read the request's head, or raise `RefusedError`."""
    kind, account = _route(scope["raw_path"])
    if scope["method"] != "POST":
        raise RefusedError(answers.WRONG_METHOD)
    if sum([len(name) + len(value) for name, value in scope["headers"]]) > header_bytes:
        raise RefusedError(answers.HEADERS_TOO_LARGE)
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _FORM_TYPE:
        raise RefusedError(answers.WRONG_TYPE)
    if _announced(headers) > body_bytes:
        raise RefusedError(answers.TOO_LARGE)
    signature = headers.get(b"x-twilio-signature")
    return Head(kind, account, scope["raw_path"], scope["query_string"], signature)


async def read_body(receive: Receive, *, body_bytes: int, seconds: float) -> bytes:
    """Read the body whole, or raise `RefusedError` when it is too large, too slow or cut short."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(answers.DISCONNECTED)
                body += message.get("body", b"")
                if len(body) > body_bytes:
                    raise RefusedError(answers.TOO_LARGE)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise RefusedError(answers.TOO_SLOW) from None


@lru_cache(maxsize=1_024)  # an account's two paths come again and again
def _route(path: bytes) -> tuple[str, Ulid]:
    account, _, kind = path.removeprefix(_PATH).decode("ascii", "replace").partition("/")
    if path.startswith(_PATH) and kind in KINDS:
        try:
            return kind, parse_id(account)
        except ValueError:
            pass  # not an id: nothing is there
    raise RefusedError(answers.NOT_FOUND)


def _announced(headers: dict[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0  # the server counts what really comes
