from typing import Any

import pytest
from fastapi import FastAPI

from gateway import answers
from gateway.answers import Answer
from gateway.openapi import describe_webhooks

WEBHOOKS = ["/webhooks/twilio/{account}/messages", "/webhooks/twilio/{account}/status"]


@pytest.fixture
def document() -> dict[str, Any]:
    app = FastAPI(title="A gateway", version="1")
    describe_webhooks(app)
    return app.openapi()


def test_both_webhooks_are_described(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if path.startswith("/webhooks")] == WEBHOOKS
    assert document["info"] == {"title": "A gateway", "version": "1"}


@pytest.mark.parametrize("path", WEBHOOKS)
def test_what_a_post_can_be_answered_is_listed(document: dict[str, Any], path: str) -> None:
    every = [value for value in vars(answers).values() if isinstance(value, Answer)]
    not_for_a_post = {answers.NOT_FOUND.status, answers.WRONG_METHOD.status}

    listed = document["paths"][path]["post"]["responses"]

    assert {int(status) for status in listed} == {a.status for a in every} - not_for_a_post
    assert listed["200"]["content"]["text/xml"]["example"] == answers.ACCEPTED.body


@pytest.mark.parametrize("path", WEBHOOKS)
def test_unknown_fields_are_said_to_be_taken(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]

    assert form["additionalProperties"] == {"type": "string"}
    assert {"AccountSid", "MessageSid"} <= set(form["required"])
