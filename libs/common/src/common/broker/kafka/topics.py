"""Topics as Recado needs them: created where they are missing, judged where they stand."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAuthorizationFailedError, for_code

from common.broker.kafka.address import Address
from common.broker.kafka.failures import classified
from common.broker.kafka.topic_rules import Care, KafkaTopic, TopicPlan
from common.errors import DependencyDown

log = structlog.get_logger()

_DONE, _FORBIDDEN, _EXISTS = 0, TopicAuthorizationFailedError.errno, 36
_REQUEST_MILLISECONDS = 5000
_GLANCES, _GLANCE_SECONDS = 20, 0.1
"""A topic that was just made is not known to every broker yet."""


async def ensure_topics(
    address: Address, names: Sequence[str], plan: TopicPlan
) -> Mapping[str, KafkaTopic]:
    """Create the topics that are missing, and judge all by the plan. None is ever changed.

    One that exists keeps its number of partitions: another number would send the records of a key
    to another partition, past those that wait. Raises `DependencyDown` while it cannot be done,
    and for a topic that may lose records where the plan refuses such.
    """
    admin = AIOKafkaAdminClient(**address.options, request_timeout_ms=_REQUEST_MILLISECONDS)
    try:
        async with classified(address, deed="described"):
            await admin.start()
            topics = await _seen(admin, names, plan)
            missing = [plan.topic(name) for name in names if name not in topics]
            if missing:
                for topic in missing:
                    _judge(topic, plan)
                await _create(admin, missing, address.security.who)
                topics = await _wait_for(admin, names, plan, address.security.who)
    finally:
        await admin.close()
    for topic in topics.values():
        _tell_difference(topic, plan)
        _judge(topic, plan)
    return topics


async def _seen(
    admin: AIOKafkaAdminClient, names: Sequence[str], plan: TopicPlan
) -> dict[str, KafkaTopic]:
    """Those of the topics that the brokers that we happen to ask know, and let us know."""
    # all that there are: asked for by name, a missing one is made by brokers that make topics
    described = {each["topic"]: each for each in await admin.describe_topics()}
    standing = [name for name in names if name in described and described[name]["partitions"]]
    settings = await _settings(admin, standing, plan)
    return {name: _topic(described[name], settings[name]) for name in settings}


async def _wait_for(
    admin: AIOKafkaAdminClient, names: Sequence[str], plan: TopicPlan, who: str
) -> dict[str, KafkaTopic]:
    unseen = names
    for _ in range(_GLANCES):
        topics = await _seen(admin, names, plan)
        unseen = [name for name in names if name not in topics]
        if not unseen:
            return topics
        await asyncio.sleep(_GLANCE_SECONDS)
    raise DependencyDown("kafka", f"topic {unseen[0]} was made and cannot be seen by {who}")


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[KafkaTopic], who: str) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, topic.copies, topic_configs=dict(topic.settings))
            for topic in topics
        ]
    )
    for outcome in answer.to_object()["topic_errors"]:
        code, name = outcome["error_code"], outcome["topic"]
        if code == _FORBIDDEN:
            raise DependencyDown("kafka", f"topic {name} may not be described or created by {who}")
        if code not in (_DONE, _EXISTS):
            error = for_code(code)
            raise DependencyDown(
                "kafka",
                f"topic {name} cannot be created: {error.__name__}, "
                f"{outcome['error_message'] or error.description}",
            )


async def _settings(
    admin: AIOKafkaAdminClient, names: Sequence[str], plan: TopicPlan
) -> dict[str, Mapping[str, str]]:
    """By topic: nothing of one that we may not ask about, and none that is not known there yet."""
    asked = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict(plan.topic(name).settings))
        for name in names
    ]
    answers = await admin.describe_configs(asked)
    return {
        resource["resource_name"]: {
            entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]
        }
        for answer in answers
        for resource in answer.to_object()["resources"]
        if resource["error_code"] in (_DONE, _FORBIDDEN)
    }


def _topic(described: Mapping[str, Any], settings: Mapping[str, str]) -> KafkaTopic:
    partitions = described["partitions"]
    copies = min(len(each["replicas"]) for each in partitions)
    return KafkaTopic(described["topic"], len(partitions), copies, settings)


def _tell_difference(topic: KafkaTopic, plan: TopicPlan) -> None:
    if topic.partitions != plan.partitions:
        log.warning(
            "topic keeps its partitions",
            topic=topic.name,
            partitions=topic.partitions,
            configured=plan.partitions,
        )


def _judge(topic: KafkaTopic, plan: TopicPlan) -> None:
    faults = "; ".join(plan.faults(topic))
    if not faults or plan.care is Care.NONE:
        return
    if plan.care is Care.REFUSE:
        raise DependencyDown(
            "kafka",
            f"topic {topic.name} may lose records: {faults}. Mend it, or accept it with "
            "RECADO_BROKER_ACCEPT_UNSAFE=true",
        )
    log.warning("topic may lose records", topic=topic.name, faults=faults)
