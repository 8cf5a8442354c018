"""Our engine on real Kafka, beside what somebody would write or install instead.

Each consumer is a process on a core of its own that reads the same records of about 1 KB from the
beginning, with a handler that does nothing, and leaves the payload undecoded. CPU is that of its
whole process, threads included; a figure is the median of interleaved rounds. More records wait
than are measured, so that no consumer is measured while its topic runs dry.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.backlog import load
from tests.benchmarks.consumers import Consumer, in_turns
from tests.benchmarks.figures import Figure, bars, compared, keep, reported
from tests.benchmarks.peers.environments import python_of
from tests.benchmarks.peers.tally import Order
from tests.servers.collector import collector
from tests.servers.kafka import local_kafka

ROUNDS, WARM, RECORDS, RECORDS_OF_THE_SLOW, KEYS = 5, 5_000, 100_000, 5_000, 1_000
IN_FLIGHT = (1, 4, 16, 64)
WAIT_SECONDS, RECORDS_A_KEY = 0.002, 500
WAITING = {10_000: "10⁴", 100_000: "10⁵", 1_000_000: "10⁶"}
"""Records that still wait when the measuring ends."""
FEWEST_WAITING = min(WAITING)
RECORDS_OF_MANY = 40_000


def main() -> None:
    """Measure, print, and write the figures down."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="recado-bench-")))
        bootstrap = stack.enter_context(local_kafka()).bootstrap
        spans = stack.enter_context(collector()).endpoint
        log = folder / "consumer.log"
        print("filling topics", flush=True)
        topic = load(bootstrap, "bench", records=WARM + RECORDS + FEWEST_WAITING, keys=KEYS)
        beside = candidates(Order(bootstrap, topic, "", WARM, RECORDS), spans)
        in_turns(list(beside.values()), rounds=ROUNDS, log=log)
        by_keys = growth_with_keys(bootstrap, log)
        by_waiting = growth_with_waiting(bootstrap, log)
    figures = [*figures_beside(beside), *figures_of_growth(by_keys, by_waiting)]
    keep("engine", figures, explanation(beside, by_keys, by_waiting))


def candidates(order: Order, spans: str) -> dict[str, Consumer]:
    few = Order(order.bootstrap, order.topic, "", 1_000, RECORDS_OF_THE_SLOW)
    watched = Order(order.bootstrap, order.topic, "", WARM, RECORDS, spans=spans)
    faststream = python_of("faststream")
    consumers = [
        Consumer("Recado", "recado_engine", order),
        Consumer("bare tasks", "bare_tasks", order),
        Consumer("Recado, observed", "recado_engine", watched),
        Consumer("Recado, decoding", "recado_engine", order, options=["--decode"]),
        Consumer("FastStream", "faststream_loop", few, faststream, ["1"]),
        Consumer("FastStream, 6 workers", "faststream_loop", few, faststream, ["6"]),
        Consumer("quixstreams", "quixstreams_loop", order, python_of("quixstreams")),
        Consumer("confluent-kafka", "confluent_loop", order, python_of("confluent")),
    ]
    return {consumer.name: consumer for consumer in consumers}


def growth_with_keys(bootstrap: str, log: Path) -> dict[int, Consumer]:
    """A handler that waits as for a database, and more and more keys beside each other."""
    found: dict[int, Consumer] = {}
    for keys in IN_FLIGHT:
        records = keys * RECORDS_A_KEY
        waiting = keys + records + FEWEST_WAITING
        topic = load(bootstrap, f"keys{keys}", records=waiting, keys=keys)
        order = Order(bootstrap, topic, "", keys, records, wait_seconds=WAIT_SECONDS)
        found[keys] = Consumer(str(keys), "recado_engine", order)
    in_turns(list(found.values()), rounds=3, log=log)
    return found


def growth_with_waiting(bootstrap: str, log: Path) -> dict[int, Consumer]:
    """The same number of records, from the head of longer and longer queues."""
    found: dict[int, Consumer] = {}
    for waiting, name in WAITING.items():
        records = WARM + RECORDS_OF_MANY + waiting
        topic = load(bootstrap, f"waiting{waiting}", records=records, keys=KEYS)
        order = Order(bootstrap, topic, "", WARM, RECORDS_OF_MANY)
        found[waiting] = Consumer(name, "recado_engine", order)
    in_turns(list(found.values()), rounds=ROUNDS, log=log)
    return found


def figures_beside(beside: dict[str, Consumer]) -> list[Figure]:
    ours, bare = beside["Recado"].microseconds, beside["bare tasks"].microseconds
    return [
        compared("engine_vs_bare_tasks", ours, unit="µs", baseline=bare, goal=0.85),
        compared(
            "engine_observed_vs_bare_tasks",
            beside["Recado, observed"].microseconds,
            unit="µs",
            baseline=bare,
            goal=0.4,
        ),
        compared(
            "engine_vs_faststream_manual",
            ours,
            unit="µs",
            baseline=beside["FastStream"].microseconds,
            goal=10,
        ),
        reported("engine_cpu_us", ours, unit="µs"),
        reported("engine_decoding_cpu_us", beside["Recado, decoding"].microseconds, unit="µs"),
        reported("engine_records_per_second", beside["Recado"].rate, unit="1/s"),
    ]


def figures_of_growth(
    by_keys: dict[int, Consumer], by_waiting: dict[int, Consumer]
) -> list[Figure]:
    few, many = by_waiting[FEWEST_WAITING], by_waiting[max(WAITING)]
    return [
        reported("engine_1_key_per_second", by_keys[min(IN_FLIGHT)].rate, unit="1/s"),
        reported("engine_64_keys_per_second", by_keys[max(IN_FLIGHT)].rate, unit="1/s"),
        compared(
            "engine_million_vs_ten_thousand",
            many.microseconds,
            unit="µs",
            baseline=few.microseconds,
            goal=0.9,
        ),
    ]


def explanation(
    beside: dict[str, Consumer], by_keys: dict[int, Consumer], by_waiting: dict[int, Consumer]
) -> str:
    rows = [f"| {one.name} | {one.microseconds:.1f} | {one.rate:,.0f} |" for one in beside.values()]
    costs = {one.name: one.microseconds for one in by_waiting.values()}
    count = (
        f"CPU per record, median of {ROUNDS} interleaved rounds; {RECORDS:,} records a round, "
        f"{RECORDS_OF_THE_SLOW:,} for FastStream. A ratio is baseline / ours: more is better."
    )
    table = ["| consumer | CPU µs per record | records per second |", "| --- | --- | --- |", *rows]
    by_keys_title = f"Records a second by keys in flight, each held {WAIT_SECONDS * 1e3:g} ms"
    keys = bars(by_keys_title, "1/s", {one.name: one.rate for one in by_keys.values()})
    waiting = bars("CPU per record by records that still wait at the end", "µs", costs)
    return "\n\n".join((count, "\n".join(table), keys, waiting))
