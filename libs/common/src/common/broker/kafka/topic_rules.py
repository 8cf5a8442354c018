"""What a topic must be like, so that no record that we published is lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from common.broker.transport import LARGEST_RECORD

LARGEST_BATCH = 1_048_588
"""Bytes, as a broker takes them unless told otherwise; our largest record fits in."""
FRAME = 4096
"""Bytes of a batch that are not the record's own; far fewer with the headers that events have."""
_COPIES = 3
_IN_SYNC = 2
_HOUR_MILLISECONDS = 3_600_000
_DAY_HOURS = 24


class Care(Enum):
    """What becomes of a topic that may lose records."""

    NONE = "used"
    TELL = "used, and told"
    REFUSE = "refused"


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic as it stands; `settings` by Kafka's names, as far as they are known to us."""

    name: str
    partitions: int
    copies: int
    settings: Mapping[str, str]

    @property
    def largest_record(self) -> int:
        """Bytes of key, headers and value that it takes for sure."""
        batch = int(self.settings.get("max.message.bytes", LARGEST_BATCH))
        return min(LARGEST_RECORD, max(0, batch - FRAME))


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What topics are made like, and how those that stand are judged."""

    partitions: int
    replication: int
    retention_hours: int
    care: Care = Care.NONE

    def topic(self, name: str) -> KafkaTopic:
        """Draw a new one: nothing that keeps records safe is left to the broker's defaults."""
        in_sync = self.replication - 1 if self.replication >= _COPIES else 1
        settings = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(LARGEST_BATCH),
            "min.insync.replicas": str(in_sync),
            "retention.ms": str(self.retention_hours * _HOUR_MILLISECONDS),
            "unclean.leader.election.enable": "false",
        }
        return KafkaTopic(name, self.partitions, self.replication, settings)

    def faults(self, topic: KafkaTopic) -> Iterator[str]:
        """Say what may lose records of this topic; nothing where it is safe."""
        if topic.partitions == 1 < self.partitions:
            yield f"it has 1 partition instead of {self.partitions}, as if nobody had planned it"
        if topic.copies < _COPIES:
            yield f"it keeps fewer than {_COPIES} copies: {topic.copies}"
        if not topic.settings:
            yield "its settings may not be described"
        else:
            yield from _faults_of_settings(topic)


def _faults_of_settings(topic: KafkaTopic) -> Iterator[str]:
    in_sync = int(topic.settings["min.insync.replicas"])
    if in_sync < _IN_SYNC:
        yield f"min.insync.replicas is {in_sync}: a record may be acknowledged by one broker alone"
    elif in_sync >= topic.copies:
        yield f"min.insync.replicas is {in_sync} of {topic.copies} copies: no broker may be away"
    if topic.settings["unclean.leader.election.enable"] != "false":
        yield "unclean.leader.election.enable is on"
    if topic.settings["cleanup.policy"] != "delete":
        yield f"cleanup.policy is {topic.settings['cleanup.policy']}"
    if 0 <= int(topic.settings["retention.ms"]) < _DAY_HOURS * _HOUR_MILLISECONDS:
        yield f"retention.ms is {topic.settings['retention.ms']}, less than a day"
    if topic.largest_record < LARGEST_RECORD:
        yield f"max.message.bytes is {topic.settings['max.message.bytes']}, too few for our largest"
