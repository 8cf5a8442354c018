"""A simulator that serves on a free port, and the business's webhook that it calls."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from common.runtime import HttpServer
from common.testing import eventually
from simulator.app import open_simulator
from simulator.settings import SimulatorSection

ACCOUNT = "AC" + "a" * 32
TOKEN = "b" * 32
API_KEY = "SK" + "c" * 32
API_SECRET = "d" * 32
WHATSAPP = "whatsapp:+551140028922"
SMS = "+551140028922"
ANA = "whatsapp:+5511999990001"
ANA_SMS = "+5511999990001"
QUICK = {"sent_seconds": 0.02, "delivered_seconds": 0.04, "read_seconds": 0.06}


def signed_in(user: str = ACCOUNT, password: str = TOKEN) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the business's webhook got it."""

    url: str
    form: dict[str, str]
    headers: Mapping[str, str]


@dataclass(slots=True)
class Business:
    """The business's webhook: keeps what it gets, answers with the next of `answers`, else 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    answers: list[int] = field(default_factory=list[int])
    hold: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        url = f"http://{request.host}{request.raw_path}"
        self.received.append(Received(url, form, dict(request.headers)))
        if self.hold is not None:
            await self.hold.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def texts(self) -> list[str]:
        return [one.form["Body"] for one in self.received if "Body" in one.form]

    def statuses(self) -> list[str]:
        return [one.form["MessageStatus"] for one in self.received if "MessageStatus" in one.form]


@dataclass(frozen=True, slots=True)
class World:
    """The simulator's address, a client for it, the business, and the way to end it."""

    url: str
    http: aiohttp.ClientSession
    business: Business
    stop: Callable[[], None] = lambda: None

    async def put_sender(self, address: str = WHATSAPP, **changes: object) -> None:
        sender = {
            "address": address,
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "api_keys": {API_KEY: API_SECRET},
            "webhook_url": f"{self.business.url}/messages",
            "name": "Padaria Aurora",
        }
        async with self.http.post("/simulator/senders", json=sender | changes) as answer:
            assert answer.status == 204, await answer.text()

    async def write(self, text: str, contact: str = ANA, **more: object) -> str:
        """Write as a customer to the sender on the same channel; gives the SID."""
        to = WHATSAPP if contact.startswith("whatsapp:") else SMS
        body = {"from": contact, "to": to, "text": text} | more
        async with self.http.post("/simulator/messages", json=body) as answer:
            assert answer.status == 201, await answer.text()
            return (await answer.json())["sid"]

    async def send(self, text: str, contact: str = ANA, **more: str) -> tuple[int, dict[str, Any]]:
        """Send as the business over the REST API."""
        sender = WHATSAPP if contact.startswith("whatsapp:") else SMS
        form = {"To": contact, "From": sender, "Body": text} | more
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        async with self.http.post(path, data=form, headers=signed_in()) as answer:
            return answer.status, await answer.json()

    async def put_faults(self, **plan: object) -> None:
        async with self.http.put("/simulator/faults", json=plan) as answer:
            assert answer.status == 200, await answer.text()

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - it is JSON
        async with self.http.get(path, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def ledger(self) -> dict[str, Any]:
        return await self.get("/simulator/ledger")

    async def settled(self) -> dict[str, Any]:
        """Wait until nothing more happens by itself, and give the ledger."""

        async def quiet() -> dict[str, Any] | None:
            ledger = await self.ledger()
            return None if ledger["pending"] else ledger

        return await eventually(quiet, within=20)  # pyright: ignore[reportReturnType]


@asynccontextmanager
async def open_business(answers: Sequence[int] = ()) -> AsyncGenerator[Business]:
    business = Business(answers=list(answers))
    app = web.Application()
    app.router.add_post("/{path:.*}", business.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    business.url = f"http://127.0.0.1:{port}"
    try:
        yield business
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_world(
    folder: Path,
    business: Business,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.time,
    **settings: object,
) -> AsyncGenerator[World]:
    """Serve until the block ends, then stop as a process does."""
    section = SimulatorSection.model_validate(
        {"file": folder / "simulator.db", "retry_pause_seconds": 0.01} | QUICK | settings
    )
    stop = asyncio.Event()
    async with open_simulator(section, clock=clock) as simulator, asyncio.TaskGroup() as group:
        server = HttpServer(simulator.app, host="127.0.0.1", port=port)
        group.create_task(server.run(stop))
        group.create_task(simulator.webhooks.run(stop))
        url = f"http://127.0.0.1:{server.port}"
        async with aiohttp.ClientSession(url) as http:
            try:
                yield World(url, http, business, stop.set)
            finally:
                stop.set()
