"""What aiokafka says at each attempt is told once; what it did not expect is told each time."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.typing import EventDict

from common.broker.kafka.client_log import quiet_client

CLIENT = logging.getLogger("aiokafka.consumer.group_coordinator")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    client = logging.getLogger("aiokafka")
    handlers, propagate = list(client.handlers), client.propagate
    client.handlers = []
    yield
    client.handlers, client.propagate = handlers, propagate


@pytest.fixture
def told() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as told:
        yield told


def test_a_complaint_is_told_once_and_another_kind_too(told: list[EventDict]) -> None:
    quiet_client()
    for node in range(3):
        CLIENT.error("Unable connect to node with id %s", node)
    CLIENT.warning("Heartbeat failed")

    assert [(each["log_level"], each["said"]) for each in told] == [
        ("warning", "Unable connect to node with id 0"),
        ("warning", "Heartbeat failed"),
    ]


def test_a_failure_that_nobody_expected_is_told_each_time_with_its_traceback(
    told: list[EventDict],
) -> None:
    quiet_client()
    for _ in range(2):
        try:
            _ = {}["unexpected"]
        except KeyError:
            CLIENT.exception("Unexpected error in fetcher routine")

    assert [(each["log_level"], each["exc_info"][0]) for each in told] == [("error", KeyError)] * 2


def test_taking_the_log_over_again_tells_nothing_twice(told: list[EventDict]) -> None:
    quiet_client()
    quiet_client()
    CLIENT.error("Unable to update metadata")

    assert len(told) == 1


def test_records_that_were_deleted_unread_are_told_of_though_the_client_only_mentions_them(
    told: list[EventDict],
) -> None:
    quiet_client()
    fetcher = logging.getLogger("aiokafka.consumer.fetcher")
    fetcher.info("Updating fetch positions for partitions %s", "x")
    for partition in (0, 1):
        fetcher.info(
            "Fetch offset %s is out of range for partition %s, resetting offset", 7, partition
        )

    assert [(each["log_level"], each["event"]) for each in told] == [
        ("error", "records gone before they were read")
    ] * 2
