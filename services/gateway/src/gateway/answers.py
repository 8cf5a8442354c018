"""What a webhook can be answered, and under which name it is counted: a closed list."""

from dataclasses import dataclass
from functools import cached_property

from starlette.types import Message, Send

_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@dataclass(frozen=True)
class Answer:
    """A status with a short sentence for whoever called, and nothing of our inside."""

    status: int
    outcome: str
    body: str
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"text/plain; charset=utf-8"),)

    async def send(self, send: Send) -> None:
        """Send it as the whole response."""
        start, body = self._messages
        await send(start)
        await send(body)

    @cached_property
    def _messages(self) -> tuple[Message, Message]:
        body = self.body.encode()
        headers = [*self.headers, (b"content-length", str(len(body)).encode())]
        return (
            {"type": "http.response.start", "status": self.status, "headers": headers},
            {"type": "http.response.body", "body": body},
        )


_TEXT = Answer(0, "", "").headers
_THEN_CLOSE = (*_TEXT, (b"connection", b"close"))  # the rest of the body is not waited for

ACCEPTED = Answer(200, "accepted", _EMPTY_TWIML, ((b"content-type", b"text/xml"),))
MALFORMED = Answer(400, "malformed", "The form is malformed.\n")
FORBIDDEN = Answer(403, "forbidden", "The signature does not fit this account.\n")
NOT_FOUND = Answer(404, "not found", "There is no such webhook.\n")
WRONG_METHOD = Answer(405, "wrong method", "Use POST.\n", (*_TEXT, (b"allow", b"POST")))
TOO_SLOW = Answer(408, "too slow", "The form took too long to arrive.\n", _THEN_CLOSE)
TOO_LARGE = Answer(413, "too large", "The form is too large.\n", _THEN_CLOSE)
WRONG_TYPE = Answer(415, "wrong type", "Send application/x-www-form-urlencoded.\n")
HEADERS_TOO_LARGE = Answer(431, "too large", "The headers are too large.\n", _THEN_CLOSE)
DISCONNECTED = Answer(400, "disconnected", "The form ended early.\n", _THEN_CLOSE)
FAILED = Answer(500, "failed", "The webhook failed here; send it again.\n")
UNAVAILABLE = Answer(503, "unavailable", "A dependency is away; send it again.\n")

OUTCOMES = frozenset(
    answer.outcome
    for answer in (
        *(ACCEPTED, MALFORMED, FORBIDDEN, NOT_FOUND, WRONG_METHOD, TOO_SLOW, TOO_LARGE),
        *(WRONG_TYPE, HEADERS_TOO_LARGE, DISCONNECTED, FAILED, UNAVAILABLE),
    )
)


class RefusedError(Exception):
    """The webhook is answered with `answer`; reason and details are for the log alone."""

    def __init__(self, answer: Answer, reason: str | None = None, **details: str) -> None:
        """Say why, where the answer's outcome does not."""
        super().__init__(reason or answer.outcome)
        self.answer = answer
        self.details = {"reason": reason, **details} if reason else details
