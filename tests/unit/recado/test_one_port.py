"""One port for several apps."""

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from common.runtime import HttpServer, run_until_stopped
from recado.one_port import OnePort


def app(name: str) -> Starlette:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse(name)

    return Starlette(routes=[Route("/{path:path}", answer)])


async def test_each_path_reaches_its_app_and_the_rest_reaches_the_default() -> None:
    port = OnePort()
    server = HttpServer(port, host="127.0.0.1", port=0)
    port.serve(app("gateway"), [""])
    port.serve(app("simulator"), ["/phone", "/2010-04-01"])
    asked = ["/", "/docs", "/phone", "/phone/events", "/phoney", "/2010-04-01/Accounts/AC1"]

    answers = await _answers(server, asked)

    expected = ["gateway", "gateway", "simulator", "simulator", "gateway", "simulator"]
    assert answers == expected


async def _answers(server: HttpServer, paths: list[str]) -> list[str]:
    class Client:
        async def run(self, stop: object) -> None:
            del stop
            async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
                answers.extend([await (await http.get(path)).text() for path in paths])

    answers: list[str] = []
    await run_until_stopped(server, Client(), drain_seconds=5)
    return answers
