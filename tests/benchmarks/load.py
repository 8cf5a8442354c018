"""`python -m tests.benchmarks.load`: requests over kept connections, as fast as they are answered.

Reads from its standard input a JSON object: `port`, `connections`, `seconds`, `rate` (requests a
second, 0 for no limit) and `requests`, each a whole HTTP request as text. Prints a JSON object:
`requests`, `failed` (no 200), `seconds` and the latencies' quantiles in milliseconds.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """What all connections saw."""

    latencies: list[float] = field(default_factory=list[float])
    failed: int = 0


async def main() -> None:
    order: dict[str, Any] = json.load(sys.stdin)
    requests = itertools.cycle([request.encode() for request in order["requests"]])
    tally, ends = Tally(), time.perf_counter() + order["seconds"]
    pause = order["connections"] / order["rate"] if order["rate"] else 0.0
    started = time.perf_counter()
    await asyncio.gather(
        *(
            _connection(order["port"], requests, tally, ends=ends, pause=pause, offset=number)
            for number in range(order["connections"])
        )
    )
    print(json.dumps(_result(tally, time.perf_counter() - started)))


async def _connection(
    port: int, requests: Iterator[bytes], tally: Tally, *, ends: float, pause: float, offset: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.perf_counter() + pause * (offset % 97) / 97
    while (now := time.perf_counter()) < ends:
        if pause and due > now:
            await asyncio.sleep(due - now)
        began = max(due, now) if pause else now
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        tally.failed += not head.startswith(b"HTTP/1.1 200")
        tally.latencies.append(time.perf_counter() - began)
        due += pause
    writer.close()


def _result(tally: Tally, seconds: float) -> dict[str, float]:
    ordered = sorted(tally.latencies)

    def quantile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    return {
        "requests": len(ordered),
        "failed": tally.failed,
        "seconds": seconds,
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
    }


if __name__ == "__main__":
    asyncio.run(main())
