"""Twilio's webhooks: verify, translate, publish, answer. Pure ASGI, since this is the hot path.

200 is said only once the broker has the event. Everything else has an answer of its own, which
makes Twilio try again (5xx) or an operator look (4xx).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Receive, Scope, Send

from common.accounts import AccountRegistry, ChannelAccount
from common.broker.publisher import Publisher
from common.errors import DependencyDown
from common.events import Event, Payload, topic_of
from common.ids import Ulid, derived_id, new_id
from common.observability import correlation, tracing
from common.observability.metrics import Metrics, begin_at_zero
from gateway import answers, twilio_form
from gateway.answers import Answer, RefusedError
from gateway.request import KINDS, PREFIX, Head, read_body, read_head
from gateway.settings import GatewaySection
from gateway.twilio_form import Fields, MalformedFormError
from gateway.twilio_signature import Form, is_signed

log = structlog.get_logger()

_UNKNOWN = "unknown"
"""The kind of a webhook that was refused before its path was read."""


@dataclass(slots=True)
class _Seen:
    """What became known of a webhook, for its log line."""

    kind: str = _UNKNOWN
    account: Ulid | None = None
    tenant: Ulid | None = None
    correlation: Ulid = field(default_factory=new_id)
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Webhooks:
    """An ASGI app that takes what is under `/webhooks/` and leaves the rest to another one."""

    def __init__(
        self,
        settings: GatewaySection,
        *,
        registry: AccountRegistry,
        publisher: Publisher,
        metrics: Metrics,
        rest: ASGIApp,
    ) -> None:
        """Take what the composition root made."""
        self._settings = settings
        self._bases = tuple(url.encode() for url in settings.public_urls)
        self._registry = registry
        self._publisher = publisher
        # asked at each request, the metrics would look their children up under a lock
        self._counter = cache(metrics.webhooks.labels)
        self._clock = cache(metrics.webhook_seconds.labels)
        self._log = log.bind()  # left unbound, it would be made anew for each line
        begin_at_zero(metrics.webhooks, [_UNKNOWN, *KINDS], answers.OUTCOMES)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a webhook, and tell what came of it: one span, one log line, two metrics."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._rest(scope, receive, send)
            return
        started, seen = time.perf_counter(), _Seen()
        with tracing.span("webhook", kind=SpanKind.SERVER):
            answer = await self._answer(scope, receive, seen)
            await answer.send(send)
            self._tell(answer, seen, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, seen: _Seen) -> Answer:
        try:
            await self._take(scope, receive, seen)
        except RefusedError as refused:
            seen.details = refused.details
            return refused.answer
        except MalformedFormError as malformed:
            seen.details = {"reason": str(malformed)}
            return answers.MALFORMED
        except DependencyDown as down:
            seen.details = {"reason": str(down)}
            return answers.UNAVAILABLE
        except Exception as error:  # noqa: BLE001 - an edge answers everything, and tells it in full
            seen.details = {"exc_info": error}
            return answers.FAILED
        return answers.ACCEPTED

    async def _take(self, scope: Scope, receive: Receive, seen: _Seen) -> None:
        limits = self._settings
        head = read_head(scope, header_bytes=limits.header_bytes, body_bytes=limits.body_bytes)
        seen.kind, seen.account = head.kind, head.account
        body = await read_body(receive, body_bytes=limits.body_bytes, seconds=limits.body_seconds)
        form = twilio_form.parse(body)
        account = await self._signer(head, form)
        seen.tenant = account.tenant
        event = _translate(head, account, twilio_form.without_nul(form), seen)
        await self._publisher.publish(event, deadline=limits.publish_seconds)

    async def _signer(self, head: Head, form: Form) -> ChannelAccount:
        """Return the account that signed the form; before it is refused it is read afresh, once."""
        if head.signature is None:
            raise RefusedError(answers.FORBIDDEN, "no signature")
        urls = [base + head.target for base in self._bases]
        refused: dict[str, str] = {"reason": "unknown account"}
        for read in (self._registry.find, self._registry.refresh):
            account = await read(head.account)
            if account is None:
                continue
            secrets = [token.get_secret_value().encode() for token in account.auth_tokens]
            if not is_signed(head.signature, urls=urls, form=form, secrets=secrets):
                expected = ", ".join(url.decode("ascii", "replace") for url in urls)
                refused = {"reason": "wrong signature", "expected_url": expected}
            elif dict(form).get("AccountSid", "") not in ("", account.account_sid):
                refused = {"reason": "another account's form"}
            else:
                return account
        raise RefusedError(answers.FORBIDDEN, **refused)

    def _tell(self, answer: Answer, seen: _Seen, seconds: float) -> None:
        self._counter(seen.kind, answer.outcome).inc()
        self._clock(seen.kind).observe(seconds)
        write = self._log.info if answer is answers.ACCEPTED else self._log.warning
        write(
            "webhook answered",
            kind=seen.kind,
            outcome=answer.outcome,
            status=answer.status,
            account=seen.account and str(seen.account),
            seconds=round(seconds, 4),
            **correlation.named(correlation=seen.correlation, tenant=seen.tenant),
            **seen.details,
        )


def _translate(head: Head, account: ChannelAccount, fields: Fields, seen: _Seen) -> Event[Payload]:
    now = datetime.now(UTC)
    natural_key: tuple[str, ...]
    if head.kind == "messages":
        payload = twilio_form.message_received(fields, account=account.id, at=now)
        natural_key = (payload.provider_message_id,)
    else:
        part = twilio_form.id_in_query(head.query, "part")
        payload = twilio_form.delivery_reported(fields, account=account.id, part=part, at=now)
        natural_key = (payload.provider_message_id, payload.status, str(payload.error_code or ""))
        seen.correlation = twilio_form.id_in_query(head.query, "correlation") or seen.correlation
    return Event(
        id=derived_id(topic_of(payload).name, str(account.id), *natural_key),
        source="gateway",
        time=now,
        tenant=account.tenant,
        correlation=seen.correlation,
        payload=payload,
    )
