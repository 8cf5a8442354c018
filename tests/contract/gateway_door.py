"""The gateway's app over ASGI, on a database in a file and a broker that a test can break.

Forms are signed by Twilio's own library.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import Any
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Send
from twilio.request_validator import RequestValidator

from common.accounts import ChannelAccount, SecretCipher, create_accounts
from common.broker.transport import Revoked, Subscription
from common.database import Transaction, open_database
from common.errors import DependencyDown
from common.events import Event, Record, Topic, decode
from common.observability.metrics import Metrics
from common.runtime import Health, Plumbing
from common.testing.channel_accounts import new_channel_account, store_channel_account
from common.testing.switched_database import SwitchedDatabase
from gateway.app import make_gateway
from gateway.settings import GatewaySection

PUBLIC_URL = "https://hooks.example.com"
FORM_TYPE = "application/x-www-form-urlencoded"
CIPHER = SecretCipher({"k1": os.urandom(32)})

Chunk = bytes | EllipsisType | None


class BrokerDouble:
    """A transport that keeps what it was given, unless it is `away`, `hung` or `broken`."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False
        self.broken = False
        self.hung = asyncio.Event()
        self.hung.set()
        self.waiting = 0

    async def publish(self, record: Record) -> None:
        await self.check()
        self.waiting += 1
        await self.hung.wait()
        if self.broken:
            raise RuntimeError("the broker made no sense")
        self.records.append(record)

    def subscribe(
        self, group: str, topics: Sequence[Topic], revoked: Revoked
    ) -> AbstractAsyncContextManager[Subscription]:
        raise NotImplementedError

    async def check(self) -> None:
        if self.away:
            raise DependencyDown("broker", "switched off")

    @property
    def events(self) -> list[Event[Any]]:
        return [decode(record) for record in self.records]


@dataclass(frozen=True)
class Reply:
    """What came back over ASGI."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Door:
    """The app, what it stands on, and one channel account."""

    app: ASGIApp
    broker: BrokerDouble
    database: SwitchedDatabase
    plumbing: Plumbing
    account: ChannelAccount
    chunks_read: int = field(default=0)

    def message(self, **changes: str) -> dict[str, str]:
        """A form as Twilio posts it for an inbound WhatsApp message."""
        return {
            "AccountSid": self.account.account_sid,
            "MessageSid": "SM" + "0a" * 16,
            "SmsStatus": "received",
            "From": "whatsapp:+5511987654321",
            "To": "whatsapp:+551150281000",
            "Body": "Vocês abrem domingo? It's @ 10%",
            "ProfileName": "Ana Souza",
            "NumMedia": "0",
            "FromCity": "",
        } | changes

    def status(self, **changes: str) -> dict[str, str]:
        """A form as Twilio posts it for a status callback."""
        return {
            "AccountSid": self.account.account_sid,
            "MessageSid": "SM" + "0b" * 16,
            "MessageStatus": "delivered",
            "To": "whatsapp:+5511987654321",
        } | changes

    def path(self, kind: str) -> str:
        return f"/webhooks/twilio/{self.account.id}/{kind}"

    async def twilio_posts(
        self,
        kind: str,
        form: Mapping[str, str],
        *,
        query: str = "",
        token: str | None = None,
        path: str | None = None,
    ) -> Reply:
        """Post a form signed with the account's first secret, unless another is given."""
        path = path or self.path(kind)
        url = f"{PUBLIC_URL}{path}" + (f"?{query}" if query else "")
        secret = token or self.account.auth_tokens[0].get_secret_value()
        signature = str(RequestValidator(secret).compute_signature(url, form))
        headers = {"content-type": FORM_TYPE, "x-twilio-signature": signature}
        return await self.call(path, query=query, headers=headers, body=[urlencode(form).encode()])

    async def call(
        self,
        path: str,
        *,
        method: str = "POST",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: Iterable[Chunk] = (b"",),
    ) -> Reply:
        """Send any request. A body is cut off where its chunks are None, and hangs where `...`."""
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        }
        sent: list[Message] = []
        await self.app(scope, self._receiving(body), _appending(sent))
        start, *rest = sent
        return Reply(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(part.get("body", b"") for part in rest).decode(),
        )

    def _receiving(self, body: Iterable[Chunk]) -> Receive:
        chunks = [*body]

        async def receive() -> Message:
            self.chunks_read += 1
            match chunks.pop(0) if chunks else None:
                case bytes() as chunk:
                    more = bool(chunks)
                    return {"type": "http.request", "body": chunk, "more_body": more}
                case None:
                    return {"type": "http.disconnect"}
                case _:
                    await asyncio.Event().wait()
            raise AssertionError

        return receive


def _appending(sent: list[Message]) -> Send:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


@asynccontextmanager
async def open_door(folder: Path, **settings: str | float) -> AsyncGenerator[Door]:
    """Make a gateway with short waits around one stored account."""
    url = f"sqlite:///{folder}/recado.db"
    async with open_database(url, pool_size=1, busy_seconds=5) as opened:
        await opened.transaction(_create_tables)
        account = new_channel_account()
        await store_channel_account(opened, account, CIPHER)
        broker, database = BrokerDouble(), SwitchedDatabase(opened)
        metrics = Metrics(CollectorRegistry())
        plumbing = Plumbing(database, broker, metrics, Health(metrics.registry))
        app = make_gateway(
            GatewaySection.model_validate({"public_url": PUBLIC_URL} | settings), plumbing, CIPHER
        )
        yield Door(app, broker, database, plumbing, account)


def _create_tables(tx: Transaction) -> None:
    for statement in create_accounts("sqlite"):
        tx.execute(text(statement))
