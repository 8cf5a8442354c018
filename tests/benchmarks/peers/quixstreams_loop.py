"""quixstreams: one loop in one thread, payloads left as bytes, commits every second."""

# pyright: reportMissingImports=false, reportUnknownParameterType=false
# it is installed in an environment of its own

import logging

from quixstreams import Application

from tests.benchmarks.peers.tally import Tally, order


def main() -> None:
    given = order()
    tally = Tally(given)
    application = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_interval=1.0,
        loglevel=logging.WARNING,
    )
    records = application.dataframe(
        application.topic(given.topic, key_deserializer="bytes", value_deserializer="bytes")
    )

    def handle(value: bytes) -> None:
        del value
        if tally.one():
            application.stop()

    records.update(handle)
    application.run()


if __name__ == "__main__":
    main()
