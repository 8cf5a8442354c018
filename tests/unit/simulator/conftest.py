from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.simulator.world import SMS, Business, World, open_business, open_world


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    async with open_business() as business:
        yield business


@pytest.fixture
async def world(tmp_path: Path, business: Business) -> AsyncIterator[World]:
    """A business with a WhatsApp number and an SMS number."""
    async with open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        yield world
