"""`python -m gateway` as a process: over real HTTP, from its start to its end."""

import json
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from common.accounts import ChannelAccount, SecretCipher, create_accounts
from common.broker.connect import open_transport
from common.database import Transaction, open_database
from common.events import MESSAGES_RECEIVED, decode
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.channel_accounts import new_channel_account, store_channel_account
from tests.servers.processes import Server, free_ports

KEY = os.urandom(32)
PUBLIC_URL = "https://hooks.example.com"
Start = Callable[..., Server]


@dataclass
class Gateway:
    process: Server
    url: str
    health_url: str


@pytest.fixture
async def account(tmp_path: Path) -> ChannelAccount:
    url = f"sqlite:///{tmp_path}/recado.db"
    account = new_channel_account()
    async with open_database(url, pool_size=1, busy_seconds=5) as database:
        await database.transaction(create_tables)
        await store_channel_account(database, account, SecretCipher({"k1": KEY}))
    return account


def create_tables(tx: Transaction) -> None:
    for statement in create_accounts("sqlite"):
        tx.execute(text(statement))


def environment(folder: Path, **changes: str) -> dict[str, str]:
    return {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{folder}/recado.db",
        "RECADO_BROKER_URL": f"sqlite:///{folder}/broker.db",
        "RECADO_SECRETS_ENCRYPTION_KEYS": f"k1:{b64encode(KEY).decode()}",
        "RECADO_GATEWAY_PUBLIC_URL": PUBLIC_URL,
        "RECADO_GATEWAY_HOST": "127.0.0.1",
        "RECADO_GATEWAY_PORT": "0",
        "RECADO_HEALTH_HOST": "127.0.0.1",
        "RECADO_HEALTH_PORT": "0",
    } | changes


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Server] = []

    def start(**changes: str) -> Server:
        environ = {k: v for k, v in environment(tmp_path, **changes).items() if v}
        command = [sys.executable, "-m", "gateway"]
        started.append(Server(command, log=tmp_path / "gateway.log", environ=environ))
        return started[-1]

    yield start
    for process in started:
        process.end(signal.SIGKILL)


def said(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "gateway.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def serving(start: Start, folder: Path, **changes: str) -> Gateway:
    process = start(**changes)

    def ports() -> dict[str, Any] | None:
        return next((line for line in said(folder) if line["event"] == "gateway serving"), None)

    line = await eventually(ports, within=20)
    assert line is not None
    host = "http://127.0.0.1"
    return Gateway(process, f"{host}:{line['port']}", f"{host}:{line['health_port']}")


def signed(account: ChannelAccount, query: str = "") -> tuple[str, str, dict[str, str]]:
    """A message's path, body and headers, as Twilio sends them."""
    form = {
        "AccountSid": account.account_sid,
        "MessageSid": "SM1",
        "From": "whatsapp:+5511987654321",
        "To": "whatsapp:+551150281000",
        "Body": "It's @ ção 100%",
    }
    path = f"/webhooks/twilio/{account.id}/messages{query}"
    validator = RequestValidator(account.auth_tokens[0].get_secret_value())
    signature = validator.compute_signature(f"{PUBLIC_URL}{path}", form)
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": str(signature),
    }
    return path, urlencode(form, quote_via=quote), headers


async def test_a_message_is_durable_once_answered_and_sigterm_ends_the_process(
    start: Start, tmp_path: Path, account: ChannelAccount
) -> None:
    gateway = await serving(start, tmp_path)
    path, body, headers = signed(account, "?x=%20'@:/&y=")

    async with aiohttp.ClientSession() as http:
        url = yarl_as_is(gateway.url + path)
        async with http.post(url, data=body, headers=headers) as reply:
            assert (reply.status, reply.content_type) == (200, "text/xml")
        async with http.get(f"{gateway.health_url}/readyz") as reply:
            assert reply.status == 200
        async with http.get(f"{gateway.health_url}/metrics") as reply:
            assert 'recado_webhooks_total{kind="messages",outcome="accepted"} 1.0' in (
                await reply.text()
            )
    gateway.process.send(signal.SIGTERM)
    await eventually(lambda: gateway.process.ended)

    assert gateway.process.exit_code == 0
    async with (
        open_transport(BrokerSettings(url=f"sqlite:///{tmp_path}/broker.db")) as transport,
        transport.subscribe("processor", [MESSAGES_RECEIVED], nothing_to_give_back) as records,
    ):
        (delivery,) = await records.fetch(10)
    assert decode(delivery.record).payload.text == "It's @ ção 100%"


def yarl_as_is(url: str) -> Any:  # noqa: ANN401 - aiohttp's own URL type, which it does not export
    import yarl

    return yarl.URL(url, encoded=True)


async def nothing_to_give_back(shards: object) -> None:
    del shards
