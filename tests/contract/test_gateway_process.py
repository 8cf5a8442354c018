"""`python -m gateway` as a process: over real HTTP, from its start to its end."""

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from sqlalchemy import text
from twilio.request_validator import RequestValidator
from yarl import URL

from common.accounts import ChannelAccount, SecretCipher, create_accounts
from common.broker.connect import open_transport
from common.database import Transaction, open_database
from common.events import MESSAGES_RECEIVED, decode
from common.settings import BrokerSettings
from common.testing.channel_accounts import new_channel_account, store_channel_account
from tests.servers.processes import free_ports

KEY = os.urandom(32)
PUBLIC_URL = "https://hooks.example.com"


@dataclass
class Gateway:
    """A process that serves."""

    process: Process
    port: int
    health_port: int

    def url(self, target: str) -> URL:
        return URL(f"http://127.0.0.1:{self.port}{target}", encoded=True)

    def health_url(self, target: str) -> URL:
        return URL(f"http://127.0.0.1:{self.health_port}{target}")


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


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{tmp_path}/recado.db",
        "RECADO_BROKER_URL": f"sqlite:///{tmp_path}/broker.db",
        "RECADO_SECRETS_ENCRYPTION_KEYS": f"k1:{b64encode(KEY).decode()}",
        "RECADO_GATEWAY_PUBLIC_URL": PUBLIC_URL,
        "RECADO_GATEWAY_HOST": "127.0.0.1",
        "RECADO_GATEWAY_PORT": "0",
        "RECADO_HEALTH_HOST": "127.0.0.1",
        "RECADO_HEALTH_PORT": "0",
    }


@asynccontextmanager
async def started(variables: dict[str, str]) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=variables, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def serving(variables: dict[str, str]) -> AsyncGenerator[Gateway]:
    async with started(variables) as process:
        assert process.stderr is not None
        async for line in process.stderr:
            words = json.loads(line)
            if words["event"] == "gateway serving":
                yield Gateway(process, words["port"], words["health_port"])
                return


async def last_words(variables: dict[str, str]) -> tuple[int | None, str]:
    async with started(variables) as process:
        _, said = await process.communicate()
        return process.returncode, said.decode()


def signed(account: ChannelAccount, query: str = "") -> tuple[str, str, dict[str, str]]:
    """A message's target, body and headers, as Twilio sends them."""
    form = {
        "AccountSid": account.account_sid,
        "MessageSid": "SM1",
        "From": "whatsapp:+5511987654321",
        "To": "whatsapp:+551150281000",
        "Body": "It's @ ção 100%",
    }
    target = f"/webhooks/twilio/{account.id}/messages{query}"
    validator = RequestValidator(account.auth_tokens[0].get_secret_value())
    signature = validator.compute_signature(f"{PUBLIC_URL}{target}", form)
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": str(signature),
    }
    return target, urlencode(form, quote_via=quote), headers


async def test_a_message_is_durable_once_answered_and_sigterm_ends_the_process(
    variables: dict[str, str], account: ChannelAccount
) -> None:
    target, body, headers = signed(account, "?x=%20'@:/&y=")

    async with serving(variables) as gateway, aiohttp.ClientSession() as http:
        async with http.post(gateway.url(target), data=body, headers=headers) as reply:
            assert (reply.status, reply.content_type) == (200, "text/xml")
        gateway.process.terminate()
        assert await gateway.process.wait() == 0

    async with (
        open_transport(BrokerSettings(url=variables["RECADO_BROKER_URL"])) as transport,
        transport.subscribe("processor", [MESSAGES_RECEIVED], nothing_to_give_back) as records,
    ):
        (delivery,) = await records.fetch(10)
    assert decode(delivery.record).payload.text == "It's @ ção 100%"


async def nothing_to_give_back(shards: object) -> None:
    del shards


async def test_health_and_metrics_are_on_a_port_of_their_own(
    variables: dict[str, str], account: ChannelAccount
) -> None:
    async with serving(variables) as gateway, aiohttp.ClientSession() as http:
        target, body, headers = signed(account)
        await http.post(gateway.url(target), data=body, headers=headers)

        async with http.get(gateway.health_url("/readyz")) as reply:
            assert await reply.json() == {"ready": True, "missing": {}}
        async with http.get(gateway.health_url("/metrics")) as reply:
            counted = 'recado_webhooks_total{kind="messages",outcome="accepted"} 1.0'
            assert counted in await reply.text()
        for page, status in (("/metrics", 404), ("/readyz", 404), ("/docs", 200), ("/", 404)):
            async with http.get(gateway.url(page)) as reply:
                assert (page, reply.status) == (page, status)
        async with http.get(gateway.url("/openapi.json")) as reply:
            assert len((await reply.json())["paths"]) == 2


async def test_two_megabytes_are_refused_and_the_next_webhook_is_taken(
    variables: dict[str, str], account: ChannelAccount
) -> None:
    async with serving(variables) as gateway, aiohttp.ClientSession() as http:
        target, body, headers = signed(account)

        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"POST {target} HTTP/1.1\r\nhost: h\r\ncontent-length: 2000000\r\n"
        writer.write(f"{head}content-type: {headers['content-type']}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        assert (await reader.read()).endswith(b"The form is too large.\n")
        writer.close()

        async with http.post(gateway.url(target), data=body, headers=headers) as reply:
            assert reply.status == 200


async def test_a_body_that_trickles_is_given_up(
    variables: dict[str, str], account: ChannelAccount
) -> None:
    async with serving(variables | {"RECADO_GATEWAY_BODY_SECONDS": "0.2"}) as gateway:
        target, _, headers = signed(account)

        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"POST {target} HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n"
        writer.write(f"{head}content-type: {headers['content-type']}\r\n\r\nBody=".encode())

        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        assert (await reader.read()).endswith(b"The form took too long to arrive.\n")
        writer.close()


async def test_a_database_that_is_down_at_the_start_makes_it_not_ready(
    variables: dict[str, str], account: ChannelAccount
) -> None:
    (port,) = free_ports(1)
    away = {"RECADO_DATABASE_URL": f"postgresql://recado:recado@127.0.0.1:{port}/recado"}
    async with serving(variables | away) as gateway, aiohttp.ClientSession() as http:
        async with http.get(gateway.health_url("/readyz")) as reply:
            assert reply.status == 503
            assert "postgres is away" in (await reply.json())["missing"]["accounts"]
        async with http.get(gateway.health_url("/livez")) as reply:
            assert reply.status == 200

        target, body, headers = signed(account)
        async with http.post(gateway.url(target), data=body, headers=headers) as reply:
            assert reply.status == 503


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("RECADO_GATEWAY_PUBLIC_URL", "", "Set RECADO_GATEWAY_PUBLIC_URL"),
        ("RECADO_SECRETS_ENCRYPTION_KEYS", "", "Set RECADO_SECRETS_ENCRYPTION_KEYS"),
        ("RECADO_SECRETS_ENCRYPTION_KEYS", "k1:short", "Mend RECADO_SECRETS_ENCRYPTION_KEYS"),
        ("RECADO_DATABASE_URL", "mysql://h/x", "RECADO_DATABASE_URL starts with 'mysql'"),
        ("RECADO_BROKER_URL", "amqp://h", "RECADO_BROKER_URL starts with 'amqp'"),
    ],
)
async def test_a_setting_that_does_not_do_is_a_sentence(
    variables: dict[str, str], variable: str, value: str, sentence: str
) -> None:
    status, said = await last_words(variables | {variable: value})

    assert status == 2
    assert sentence in said
    assert "Traceback" not in said


async def test_a_port_that_is_taken_is_a_sentence(variables: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        status, said = await last_words(variables | {"RECADO_GATEWAY_PORT": str(port)})

    assert status == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert "Traceback" not in said
