"""What a group consumes is what its topics are: no more, and no less."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.limits import Limits
from common.broker.memory import MemoryTransport
from common.database import Database, Transaction
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, MESSAGES_SEND, Event, Topic
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing.broker import IMPATIENT, RememberingHandler


def consumer_of(*topics: Topic, given_up: Sequence[Topic] = ()) -> Engine:
    database = cast("Database", None)  # nothing is read or written before it runs
    return Engine(
        MemoryTransport(),
        "processor",
        dict.fromkeys(topics, RememberingHandler()),
        dead_letters=DeadLetters("processor", database),
        halts=Halts("processor", database),
        policy=IMPATIENT,
        limits=Limits.of(BrokerSettings(), drain_seconds=5.0),
        conditions=Conditions.of(BrokerSettings()),
        metrics=Metrics(CollectorRegistry()),
        given_up=dict.fromkeys(given_up, forget),
    )


def forget(_tx: Transaction, _event: Event[Any]) -> None: ...


async def test_a_group_consumes_all_its_topics() -> None:
    assert await consumer_of(MESSAGES_RECEIVED, DELIVERIES_UPDATED).ready() == "not consuming"


async def test_a_group_cannot_consume_the_topic_of_another() -> None:
    with pytest.raises(ValueError, match=r"processor must not consume messages\.send"):
        consumer_of(MESSAGES_RECEIVED, DELIVERIES_UPDATED, MESSAGES_SEND)


async def test_a_group_cannot_leave_a_topic_of_its_own_without_a_handler() -> None:
    with pytest.raises(ValueError, match=r"processor has no handler for deliveries\.updated"):
        consumer_of(MESSAGES_RECEIVED)


async def test_a_group_cannot_give_up_what_is_another_s() -> None:
    with pytest.raises(ValueError, match=r"processor must not consume messages\.send"):
        consumer_of(MESSAGES_RECEIVED, DELIVERIES_UPDATED, given_up=[MESSAGES_SEND])
