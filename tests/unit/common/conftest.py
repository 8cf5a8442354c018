"""What an engine under test reads from, and who fills it."""

import pytest
from prometheus_client import CollectorRegistry

from common.broker.memory import MemoryTransport
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.observability.metrics import Metrics


@pytest.fixture
async def transport() -> MemoryTransport:
    return MemoryTransport()


@pytest.fixture
def publisher(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))
