"""The simulator as a process of its own: how it ends, and what it knows when it is back."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from common.testing import eventually
from tests.unit.simulator.world import ANA_SMS, SMS, Business, World, open_world


async def test_what_a_kill_interrupted_is_posted_after_the_next_start(
    tmp_path: Path, business: Business
) -> None:
    business.hold = asyncio.Event()
    async with running(tmp_path) as (process, http):
        world = World("", http, business)
        await world.put_sender()
        await world.write("Oi")
        await eventually(lambda: len(business.received) == 1)
        process.kill()
        await process.wait()
    business.hold.set()

    async with open_world(tmp_path, business) as world:
        ledger = await world.settled()

    assert business.texts() == ["Oi", "Oi"]
    assert [one["accepted"] for one in ledger["inbound"]] == [True]


async def test_the_process_ends_with_0_while_a_phone_is_looking(tmp_path: Path) -> None:
    async with running(tmp_path) as (process, http), http.get("/phone/events") as stream:
        assert await stream.content.readline() == b"retry: 1000\n"

        process.send_signal(signal.SIGINT)

        async with asyncio.timeout(15):
            assert await process.wait() == 0


async def test_a_line_is_cut_and_not_answered(tmp_path: Path, business: Business) -> None:
    async with running(tmp_path) as (_, http):
        world = World("", http, business)
        await world.put_sender(SMS)
        await world.put_faults(create={"reset_after_accept": {"next": 1}})

        with pytest.raises(aiohttp.ClientConnectionError):
            await world.send("Oi", ANA_SMS)

        (create,) = (await world.ledger())["creates"]
        assert create["message_sid"] is not None
        assert (await world.send("Oi", ANA_SMS))[0] == 201


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[tuple[Process, aiohttp.ClientSession]]:
    """The simulator as a process of its own, ended at the end if it still runs."""
    environment = {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_SIMULATOR_FILE": str(folder / "simulator.db"),
        "RECADO_SIMULATOR_PORT": "0",
        "RECADO_HEALTH_PORT": "0",
        "RECADO_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        serving = json.loads(await process.stderr.readline())
        url = serving["phone"].removesuffix("/phone")
        async with aiohttp.ClientSession(url) as http:
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_does_not_start_outside_development(tmp_path: Path) -> None:
    environment = {"RECADO_ENVIRONMENT": "production", "RECADO_SIMULATOR_FILE": f"{tmp_path}/x.db"}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()

    assert process.returncode == 2
    assert b"RECADO_ENVIRONMENT=development" in told
