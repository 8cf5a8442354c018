"""Topics as Recado needs them: created where they are missing, never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from common.broker.kafka.address import Address
from common.broker.kafka.failures import classified
from common.errors import DependencyDown

log = structlog.get_logger()

_CREATED, _EXISTS = 0, 36
_REQUEST_MILLISECONDS = 5000
_COPIES_THAT_SURVIVE_ONE = 3


async def ensure_topics(
    address: Address, names: Sequence[str], *, partitions: int, replication: int
) -> None:
    """Create the topics that are missing.

    One that exists keeps its number of partitions: another number would send the records of a key
    to another partition, past those that wait. Raises `DependencyDown` while it cannot be done.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=address.text, request_timeout_ms=_REQUEST_MILLISECONDS
    )
    try:
        with classified(address):
            await admin.start()
            wanted = [_new_topic(name, partitions, replication) for name in names]
            answer = await admin.create_topics(wanted)
            outcomes = answer.to_object()["topic_errors"]
            existing = [each["topic"] for each in outcomes if not _is_new(each)]
            _tell_differences(await admin.describe_topics(existing), partitions)
    finally:
        await admin.close()


def _new_topic(name: str, partitions: int, replication: int) -> NewTopic:
    in_sync = replication - 1 if replication >= _COPIES_THAT_SURVIVE_ONE else 1
    return NewTopic(
        name, partitions, replication, topic_configs={"min.insync.replicas": str(in_sync)}
    )


def _is_new(outcome: Mapping[str, Any]) -> bool:
    code = outcome["error_code"]
    if code not in (_CREATED, _EXISTS):
        error = for_code(code)
        raise DependencyDown(
            "kafka",
            f"topic {outcome['topic']} cannot be created: {error.__name__}, "
            f"{outcome['error_message'] or error.description}",
        )
    return code == _CREATED


def _tell_differences(described: Sequence[dict[str, Any]], partitions: int) -> None:
    for topic in described:
        standing = len(topic["partitions"])
        if standing not in (0, partitions):
            log.warning(
                "topic keeps its partitions",
                topic=topic["topic"],
                partitions=standing,
                configured=partitions,
            )
