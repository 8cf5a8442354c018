"""The OpenAPI page's words on the webhooks: being pure ASGI, they describe nothing themselves."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway import answers
from gateway.answers import Answer

_COMMON = ("AccountSid", "MessageSid", "From", "To")
_ANSWERS = (
    answers.ACCEPTED,
    answers.MALFORMED,
    answers.FORBIDDEN,
    answers.TOO_SLOW,
    answers.TOO_LARGE,
    answers.WRONG_TYPE,
    answers.HEADERS_TOO_LARGE,
    answers.FAILED,
    answers.UNAVAILABLE,
)


def describe_webhooks(app: FastAPI) -> None:
    """Make the app's OpenAPI document list the two webhooks beside its own routes."""
    app.openapi = _with_webhooks(app)


def _with_webhooks(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        document["paths"] |= _PATHS
        return document

    return openapi


def _webhook(summary: str, fields: tuple[str, ...], *query: str) -> dict[str, Any]:
    return {
        "post": {
            "tags": ["Twilio's webhooks"],
            "summary": summary,
            "parameters": [
                _parameter("path", "account", "The channel account's ULID."),
                _parameter("header", "X-Twilio-Signature", "HMAC-SHA1 under the Auth Token."),
                *(_parameter("query", name, "A ULID of ours.") for name in query),
            ],
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": _form(fields)}},
            },
            "responses": {str(answer.status): _response(answer) for answer in _ANSWERS},
        }
    }


def _parameter(place: str, name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place != "query",
        "description": description,
        "schema": {"type": "string"},
    }


def _form(fields: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(fields),
        "properties": {name: {"type": "string", "minLength": 1} for name in fields},
        "additionalProperties": {"type": "string"},
    }


def _response(answer: Answer) -> dict[str, Any]:
    content_type = dict(answer.headers)[b"content-type"].decode()
    return {
        "description": answer.outcome.capitalize(),
        "content": {content_type: {"schema": {"type": "string"}, "example": answer.body}},
    }


_PATHS = {
    "/webhooks/twilio/{account}/messages": _webhook("A contact wrote", _COMMON),
    "/webhooks/twilio/{account}/status": _webhook(
        "The status of a message of ours changed",
        ("AccountSid", "MessageSid", "MessageStatus"),
        "part",
        "correlation",
    ),
}
