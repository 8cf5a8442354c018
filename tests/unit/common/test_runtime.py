"""A process' life: drain on a signal, cut short by a deadline, errors raised, health told."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette

from common.errors import DependencyDown, StartError
from common.runtime import Health, HttpServer, run_until_stopped
from common.testing import eventually
from common.testing.broker import running


class Worker:
    """Finishes what it holds once told to stop."""

    def __init__(self, *, needs: float = 0.0, fails: bool = False) -> None:
        self.needs, self.fails = needs, fails
        self.started = self.drained = False

    async def run(self, stop: asyncio.Event) -> None:
        self.started = True
        if self.fails:
            raise RuntimeError("out of coffee")
        await stop.wait()
        await asyncio.sleep(self.needs)
        self.drained = True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_every_component_drain(number: signal.Signals) -> None:
    workers = [Worker(needs=0.02), Worker()]
    running = asyncio.create_task(run_until_stopped(*workers, drain_seconds=5))
    await eventually(lambda: all(worker.started for worker in workers))

    os.kill(os.getpid(), number)
    await running

    assert all(worker.drained for worker in workers)


async def test_what_outlasts_the_deadline_is_cancelled() -> None:
    slow, quick = Worker(needs=60), Worker()
    stop = asyncio.Event()
    stop.set()

    await run_until_stopped(slow, quick, drain_seconds=0.05, stop=stop)

    assert quick.drained
    assert not slow.drained


async def test_a_second_signal_hurries() -> None:
    slow = Worker(needs=60)
    running = asyncio.create_task(run_until_stopped(slow, drain_seconds=60))
    await eventually(lambda: slow.started)

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 5)

    assert not slow.drained


async def test_a_failing_component_stops_the_others_and_is_heard() -> None:
    other = Worker()

    with pytest.raises(RuntimeError, match="out of coffee"):
        await run_until_stopped(other, Worker(fails=True), drain_seconds=5)

    assert other.drained


async def test_a_taken_port_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(StartError, match=f"Port {port} .* choose another port"):
            HttpServer(Starlette(), host="127.0.0.1", port=port)


async def test_a_dependency_that_is_away_is_missing_until_it_is_back() -> None:
    health = Health(CollectorRegistry())
    away = [DependencyDown("postgres", "connection refused")]

    async def ask() -> None:
        if away:
            raise away[0]

    health.add_dependency("database", ask)
    before = await health.missing()
    away.clear()

    assert before == {"database": "postgres is away: connection refused"}
    assert await health.missing() == {}


async def test_a_dependency_that_does_not_answer_is_missing() -> None:
    health = Health(CollectorRegistry())
    health.add_dependency("broker", asyncio.Event().wait)  # pyright: ignore[reportArgumentType] - never ends

    assert await health.missing() == {"broker": "no answer"}


@asynccontextmanager
async def pages_of(health: Health) -> AsyncGenerator[aiohttp.ClientSession]:
    server = HttpServer(health.app(), host="127.0.0.1", port=0)
    async with (
        running(server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):
        yield http


async def test_a_process_that_does_not_get_on_is_not_live_and_says_what_is_stuck() -> None:
    health = Health(CollectorRegistry())
    stuck: list[str] = []

    async def consumer() -> str | None:
        return stuck[0] if stuck else None

    health.add_liveness("processor", consumer)
    async with pages_of(health) as http:
        before = await http.get("/livez")
        stuck.append("no record settled for 120 s")
        after = await http.get("/livez")
        told = await after.json()

    assert (before.status, after.status) == (200, 503)
    assert told == {"live": False, "stuck": {"processor": "no record settled for 120 s"}}


async def test_health_tells_what_is_missing_and_the_metrics() -> None:
    registry = CollectorRegistry()
    Counter("greetings", "Said.", registry=registry).inc()
    health = Health(registry)
    missing: list[str] = []

    async def broker() -> str | None:
        return missing[0] if missing else None

    health.add("broker", broker)
    async with pages_of(health) as http:
        live, ready = await http.get("/livez"), await http.get("/readyz")
        missing.append("connection refused")
        unready = await http.get("/readyz")
        metrics = await (await http.get("/metrics")).text()
        told = await unready.json()

    assert (live.status, ready.status, unready.status) == (200, 200, 503)
    assert told == {"ready": False, "missing": {"broker": "connection refused"}}
    assert "greetings_total 1.0" in metrics
