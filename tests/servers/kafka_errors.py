"""Stands between clients and a node, and has answers of its choice say that it went wrong.

The node does what it was asked all the same, so a client never knows from an error that nothing was
done. aiokafka's own schemas are what answers are read and written with.
"""

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from enum import IntEnum
from typing import Any

from aiokafka.protocol.api import Response
from aiokafka.protocol.types import Array, Schema


class Api(IntEnum):
    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    CREATE_TOPICS = 19
    INIT_PRODUCER_ID = 22


NAMES_THE_NODE = (Api.METADATA, Api.FIND_COORDINATOR)


class ErringKafka:
    """Its `address` is all that clients get to know: answers name it in the node's place."""

    def __init__(self, node: str) -> None:
        self.address = ""
        self.errors_left: Counter[int] = Counter()
        self._code = 0
        self._node = node.split(":")

    def err(self, api: Api, code: int, *, times: int) -> None:
        """Let so many answers to this kind of request carry this error."""
        self._code = code
        self.errors_left = Counter({api: times})

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Lead one connection."""
        host, port = self._node
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        asked: deque[tuple[int, int]] = deque()
        async with asyncio.TaskGroup() as ways:
            ways.create_task(self._ask(reader, there_writer, asked))
            ways.create_task(self._answer(there_reader, writer, asked))

    async def _ask(
        self, reader: StreamReader, there: StreamWriter, asked: deque[tuple[int, int]]
    ) -> None:
        while request := await _frame(reader):
            asked.append(struct.unpack_from(">hh", request))
            await _send(there, request)
        there.close()

    async def _answer(
        self, there: StreamReader, writer: StreamWriter, asked: deque[tuple[int, int]]
    ) -> None:
        while answer := await _frame(there):
            await _send(writer, self._changed(answer, *asked.popleft()))
        writer.close()

    def _changed(self, answer: bytes, key: int, version: int) -> bytes:
        changes: dict[str, object] = {}
        if key in NAMES_THE_NODE:
            changes["port"] = int(self.address.rpartition(":")[2])
        if self.errors_left[key] > 0:
            self.errors_left[key] -= 1
            changes["error_code"] = self._code
        if not changes:
            return answer
        kind = _KINDS[key, version]
        response = kind.decode(answer[4:])
        values = [response.get_item(name) for name in kind.SCHEMA.names]
        return answer[:4] + kind.SCHEMA.encode(_with(changes, kind.SCHEMA, values))


@asynccontextmanager
async def erring_kafka(node: str) -> AsyncGenerator[ErringKafka]:
    """In front of a cluster of this one node."""
    erring = ErringKafka(node)
    server = await asyncio.start_server(erring.serve, "127.0.0.1", 0)
    erring.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield erring
    finally:
        server.close()


_KINDS: Mapping[tuple[object, object], Any] = {
    (kind.API_KEY, kind.API_VERSION): kind for kind in Response.__subclasses__()
}


def _with(changes: Mapping[str, object], schema: Any, value: Any) -> Any:  # noqa: ANN401 - as in Kafka's schemas
    if isinstance(schema, Schema):
        return tuple(
            changes.get(name, _with(changes, field, each))
            for name, field, each in zip(schema.names, schema.fields, value, strict=True)
        )
    if isinstance(schema, Array) and value is not None:
        return [_with(changes, schema.array_of, each) for each in value]
    return value


async def _frame(reader: StreamReader) -> bytes:
    """The next request or answer; nothing when the other side is gone."""
    try:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        return await reader.readexactly(size)
    except (OSError, asyncio.IncompleteReadError):
        return b""


async def _send(writer: StreamWriter, frame: bytes) -> None:
    with suppress(OSError):  # its reader will notice
        writer.write(struct.pack(">i", len(frame)) + frame)
        await writer.drain()
