"""A server with OpenAI's chat completions that answers as it is told, and holds to the contract."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_NUMBERS = count(1)


@dataclass
class ModelServer:
    """Answers each request with the next of `script`, and the last for ever."""

    script: list[Handler]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    credentials: list[str | None] = field(default_factory=list[str | None])
    connections: Callable[[], int] = int

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.credentials.append(request.headers.get("Authorization"))
        if problem := broken_rule(body):
            return web.json_response({"error": {"message": problem}}, status=400)
        return await self.script[min(len(self.asked), len(self.script)) - 1](request)

    def told(self, role: str) -> list[str]:
        """The contents of one role in the last request, in order."""
        return [
            str(message.get("content"))
            for message in self.asked[-1]["messages"]
            if message["role"] == role
        ]


@asynccontextmanager
async def model_server(*script: Handler) -> AsyncGenerator[ModelServer]:
    server = ModelServer(list(script))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    server.connections = lambda: len(runner.server.connections) if runner.server else 0
    try:
        yield server
    finally:
        await runner.cleanup()


def saying(text: str | None) -> Handler:
    return _completing({"role": "assistant", "content": text}, "stop")


def calling(tool: str, arguments: str) -> Handler:
    """Asks for a tool, each time under another id."""

    async def answer(request: web.Request) -> web.StreamResponse:
        call = {
            "id": f"call_{next(_NUMBERS)}",
            "type": "function",
            "function": {"name": tool, "arguments": arguments},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return await _completing(message, "tool_calls")(request)

    return answer


def answering(body: object, status: int = 200) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        if isinstance(body, str):
            return web.Response(text=body, status=status, content_type="application/json")
        return web.json_response(body, status=status)

    return answer


async def never(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def cut(request: web.Request) -> web.StreamResponse:
    """Hangs up after half of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id": "chatcmpl-1", "choices": [')
    if request.transport is not None:
        request.transport.abort()
    return response


def broken_rule(body: dict[str, Any]) -> str | None:
    """Which rule of the API a request breaks: each tool's result belongs to a call before it."""
    called: set[str] = set()
    for message in body["messages"]:
        called.update(call["id"] for call in message.get("tool_calls") or ())
        if message["role"] == "tool" and message["tool_call_id"] not in called:
            return "a tool's result without its call"
    if not body.get("model"):
        return "no model"
    return None


def _completing(message: dict[str, Any], reason: str) -> Handler:
    return answering(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
    )
