"""A broker that does not take everything."""

from collections.abc import Callable

from common.broker.memory import MemoryTransport
from common.events import Record


class BrokenTransport(MemoryTransport):
    """Takes a record unless `fault` finds something wrong with it."""

    def __init__(self, fault: Callable[[Record], Exception | None]) -> None:
        super().__init__()
        self._fault = fault

    async def publish(self, record: Record) -> None:
        if (fault := self._fault(record)) is not None:
            raise fault
        await super().publish(record)
