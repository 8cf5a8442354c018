"""confluent-kafka: 500 records a call, one after the other, commits every second."""

# pyright: reportMissingImports=false
# it is installed in an environment of its own

import time

from confluent_kafka import Consumer

from tests.benchmarks.peers.tally import Tally, order


def main() -> None:
    given = order()
    tally, done = Tally(given), False
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([given.topic])
    committed = time.monotonic()
    while not done:
        for record in consumer.consume(500, timeout=0.25):
            record.value()
            done = tally.one() or done
        if time.monotonic() - committed >= 1.0:
            consumer.commit(asynchronous=True)
            committed = time.monotonic()
    consumer.close()


if __name__ == "__main__":
    main()
