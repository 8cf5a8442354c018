"""Our engine's memory behind a slow handler, while a million records wait in Kafka.

What it holds is bounded by its window, so its memory must not grow with time. A shorter run, which
is printed and not kept: `python -m tests.benchmarks.memory --records 50000 --minute 10`.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from common.settings import BrokerSettings
from tests.benchmarks.backlog import load
from tests.benchmarks.figures import Figure, bars, keep, table
from tests.benchmarks.peers.tally import Order
from tests.benchmarks.processes import resident_bytes
from tests.servers.kafka import local_kafka

WAITING, KEYS, WARM = 1_000_000, 10_000, 1_000
WAIT_SECONDS = 0.1
MINUTES, SAMPLES_A_MINUTE = 6, 60
MOST = 1.05


def main() -> None:
    """Measure, print, and write the figure down."""
    figure, text = measured(WAITING, minute=60.0)
    keep("memory", [figure], text)


def measured(waiting: int, *, minute: float) -> tuple[Figure, str]:
    """Let so many records wait, and a minute be so many seconds."""
    rate = BrokerSettings().concurrency / WAIT_SECONDS
    handled = int(rate * MINUTES * minute)
    with TemporaryDirectory(prefix="recado-bench-") as folder, local_kafka() as kafka:
        print(f"publishing {waiting:,} records", flush=True)
        topic = load(kafka.bootstrap, "memory", records=waiting, keys=KEYS)
        order = Order(kafka.bootstrap, topic, "slow", WARM, handled, wait_seconds=WAIT_SECONDS)
        print(f"handling {handled:,} of them", flush=True)
        samples = sampled(order, Path(folder) / "consumer.log", minute / SAMPLES_A_MINUTE)
    many = len(samples) // MINUTES
    by_minute = [
        statistics.mean(samples[number * many : (number + 1) * many]) for number in range(MINUTES)
    ]
    third, last = by_minute[2], by_minute[-1]
    name, ratio = "engine_memory_last_vs_third_minute", last / third
    figure = Figure(name, last, "MB", third, ratio, MOST, met=ratio <= MOST)
    return figure, explanation(waiting, handled, by_minute)


def sampled(order: Order, log: Path, pause: float) -> Sequence[float]:
    """Consume in a process of its own; return the megabytes it had, from its first records on."""
    module = "tests.benchmarks.peers.recado_engine"
    command = [sys.executable, "-m", module, order.as_argument(), "--decode"]
    samples: list[float] = []
    with (
        log.open("wb") as lines,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=lines) as consumer,
    ):
        try:
            assert consumer.stdout is not None
            consumer.stdout.readline()
            while not ended(consumer, pause):
                if resident := resident_bytes(consumer.pid):  # one that is ending has none
                    samples.append(resident / 1e6)
        finally:
            consumer.kill()
    if consumer.returncode:
        raise RuntimeError(f"the consumer ended early:\n{log.read_text()[-2000:]}")
    return samples


def ended(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def explanation(waiting: int, handled: int, by_minute: Sequence[float]) -> str:
    words = (
        f"{waiting:,} records of {KEYS:,} keys wait and {handled:,} of them are handled, each for "
        f"{WAIT_SECONDS * 1e3:g} ms; the ratio is last / third minute: at most {MOST}."
    )
    minutes = {f"{number}": size for number, size in enumerate(by_minute, 1)}
    return f"{words}\n\n{bars('Resident memory by minute', 'MB', minutes)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory")
    parser.add_argument("--records", type=int, default=WAITING)
    parser.add_argument("--minute", type=float, default=60.0, help="how many seconds one has")
    given = parser.parse_args()
    found, said = measured(given.records, minute=given.minute)
    print(f"{table([found])}\n\n{said}")
