"""Talk to processes of ours on this machine, and stand between two of them."""

import asyncio
import json
import urllib.error
import urllib.request
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any


def status_of(url: str) -> int | None:
    """The status of a page; None where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def what_is_missing(url: str) -> dict[str, str] | None:
    """What `/readyz` says is missing, which is nothing when ready; None where nothing answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())["missing"]
    except urllib.error.HTTPError as error:
        return json.loads(error.read())["missing"]
    except OSError:
        return None


def call(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - what JSON holds
    """Send JSON and return the JSON that comes back, None where nothing does."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read() or b"null")


class Gate:
    """A port at which every connection is refused, until it is opened and leads elsewhere."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        await self._server.start_serving()


@asynccontextmanager
async def gate(host: str, port: int) -> AsyncGenerator[Gate]:
    """A gate to an address; whoever went through it must be gone at the end."""
    ways: list[asyncio.Task[None]] = []

    async def lead(reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, port)
        ways.append(asyncio.create_task(_pass_on(reader, there_writer)))
        ways.append(asyncio.create_task(_pass_on(there_reader, writer)))

    server = await asyncio.start_server(lead, "127.0.0.1", 0, start_serving=False)
    try:
        yield Gate(server)
    finally:
        server.close()
        await asyncio.gather(*ways)


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        pass  # who was killed says no goodbye
    finally:
        writer.close()
