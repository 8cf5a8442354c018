"""A topic that may lose records is told for each reason there is; what we make is safe."""

from dataclasses import replace

import pytest

from common.broker.kafka.topic_rules import Care, KafkaTopic, TopicPlan
from common.broker.transport import LARGEST_RECORD

PLAN = TopicPlan(partitions=12, replication=3, retention_hours=168, care=Care.REFUSE)
SAFE = PLAN.topic("messages.received")
CHANGED: dict[str, tuple[dict[str, str], str]] = {
    "one broker alone": ({"min.insync.replicas": "1"}, "acknowledged by one broker alone"),
    "no broker to spare": ({"min.insync.replicas": "3"}, "3 of 3 copies: no broker may be away"),
    "unclean elections": (
        {"unclean.leader.election.enable": "true"},
        "unclean.leader.election.enable is on",
    ),
    "compaction": ({"cleanup.policy": "compact"}, "cleanup.policy is compact"),
    "both": ({"cleanup.policy": "compact,delete"}, "cleanup.policy is compact,delete"),
    "an hour": ({"retention.ms": "3600000"}, "retention.ms is 3600000, less than a day"),
    "small records": ({"max.message.bytes": "500000"}, "too few for our largest"),
}


def test_what_we_make_with_three_copies_is_safe() -> None:
    assert faults(SAFE) == ""
    assert SAFE.settings["retention.ms"] == str(7 * 24 * 3600 * 1000)
    assert SAFE.largest_record == LARGEST_RECORD


@pytest.mark.parametrize("case", CHANGED)
def test_a_setting_that_may_lose_records_is_told(case: str) -> None:
    changed, sentence = CHANGED[case]

    assert sentence in faults(replace(SAFE, settings={**SAFE.settings, **changed}))


def test_records_kept_for_ever_or_for_a_day_are_safe() -> None:
    for kept in ("-1", "86400000"):
        topic = replace(SAFE, settings={**SAFE.settings, "retention.ms": kept})
        assert faults(topic) == ""


def test_too_few_copies_are_told() -> None:
    assert "fewer than 3 copies: 2" in faults(replace(SAFE, copies=2))


def test_one_partition_is_told_where_several_were_planned() -> None:
    assert "1 partition instead of 12" in faults(replace(SAFE, partitions=1))
    assert faults(replace(SAFE, partitions=6)) == ""


def test_settings_that_we_may_not_see_are_not_taken_for_safe() -> None:
    hidden = replace(SAFE, settings={})

    assert "may not be described" in faults(hidden)
    assert hidden.largest_record == LARGEST_RECORD


def test_what_a_topic_takes_is_less_than_its_largest_batch() -> None:
    topic = replace(SAFE, settings={**SAFE.settings, "max.message.bytes": "20000"})

    assert 15_000 < topic.largest_record < 20_000


def faults(topic: KafkaTopic) -> str:
    return "; ".join(PLAN.faults(topic))
