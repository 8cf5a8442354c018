import asyncio

import pytest

from common.testing import eventually
from notifier.flights import flights


class Crash(Exception):  # noqa: N818 - it stands for any
    pass


async def crash() -> None:
    raise Crash


async def test_one_that_fails_does_not_bring_the_others_down() -> None:
    landed: list[int] = []
    may_land = asyncio.Event()

    async def fly() -> None:
        await may_land.wait()
        landed.append(1)

    async def journey() -> None:
        async with flights() as calls:
            calls.start(fly())
            calls.start(crash())
            asyncio.get_running_loop().call_later(0.01, may_land.set)
            while True:
                await calls.landing(within=1)

    with pytest.raises(Crash):
        await journey()
    assert landed == [1]


async def test_a_failure_that_nobody_waited_for_is_raised_at_the_end() -> None:
    with pytest.raises(Crash):
        async with flights() as calls:
            calls.start(crash())


async def test_when_cancelled_they_are_too() -> None:
    cancelled: list[int] = []
    flying = asyncio.Event()

    async def fly() -> None:
        flying.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def journey() -> None:
        async with flights() as calls:
            calls.start(fly())
            await calls.landing(within=60)

    travelling = asyncio.create_task(journey())
    await flying.wait()
    travelling.cancel()

    await eventually(travelling.done)
    assert travelling.cancelled()
    assert cancelled == [1]


async def test_waiting_ends_without_a_landing() -> None:
    async with flights() as calls:
        calls.start(asyncio.sleep(0.2))
        await calls.landing(within=0.01)
        assert len(calls.in_air) == 1
