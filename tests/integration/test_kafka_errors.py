"""Each request that we make of Kafka fails, in each way that matters: nothing is lost for it."""

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from aiokafka import errors
from aiokafka.errors import BrokerResponseError
from prometheus_client import CollectorRegistry

from common.broker.kafka.address import parse_address
from common.broker.kafka.transport import KafkaTransport
from common.broker.publisher import Publisher
from common.database import Database
from common.errors import DependencyDown, PermanentError
from common.events import MESSAGES_RECEIVED
from common.ids import new_id
from common.observability.metrics import Metrics
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    engine_of,
    message,
    running,
)
from tests.servers.kafka import KafkaCluster
from tests.servers.kafka_errors import Api, ErringKafka, erring_kafka

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("quiet")]
CONTACTS = ("+55111", "+55222", "+55333")
WITHIN = 60.0
COORDINATION = (errors.GroupLoadInProgressError, errors.NotCoordinatorForGroupError)
MEMBERSHIP = (errors.UnknownMemberIdError, errors.RebalanceInProgressError)
ERRORS: Mapping[Api, Sequence[type[BrokerResponseError]]] = {
    Api.PRODUCE: (
        errors.NotLeaderForPartitionError,
        errors.NotEnoughReplicasError,
        errors.NotEnoughReplicasAfterAppendError,
        errors.RequestTimedOutError,
        errors.UnknownTopicOrPartitionError,
        errors.UnknownError,
        errors.OutOfOrderSequenceNumber,
        errors.TopicAuthorizationFailedError,
        errors.RecordListTooLargeError,
    ),
    Api.FETCH: (
        errors.NotLeaderForPartitionError,
        errors.UnknownTopicOrPartitionError,
        errors.OffsetOutOfRangeError,
        errors.TopicAuthorizationFailedError,
        errors.UnknownError,
    ),
    Api.OFFSET_COMMIT: (*COORDINATION, *MEMBERSHIP, errors.GroupAuthorizationFailedError),
    Api.HEARTBEAT: (*COORDINATION, *MEMBERSHIP, errors.UnknownError),
    Api.FIND_COORDINATOR: (errors.GroupCoordinatorNotAvailableError,),
    Api.JOIN_GROUP: (*COORDINATION, errors.UnknownMemberIdError, errors.UnknownError),
    Api.SYNC_GROUP: (*MEMBERSHIP, errors.GroupAuthorizationFailedError, errors.UnknownError),
    Api.OFFSET_FETCH: COORDINATION,
    Api.LIST_OFFSETS: (errors.NotLeaderForPartitionError,),
}
ASKED_WHEN_JOINING = (
    Api.FIND_COORDINATOR,
    Api.JOIN_GROUP,
    Api.SYNC_GROUP,
    Api.OFFSET_FETCH,
    Api.LIST_OFFSETS,
)


@pytest.fixture
async def kafka(kafka_server: KafkaCluster) -> AsyncIterator[ErringKafka]:
    async with erring_kafka(kafka_server.bootstrap) as erring:
        yield erring


@pytest.fixture
async def transport(kafka: ErringKafka) -> AsyncIterator[KafkaTransport]:
    address = parse_address(f"kafka://{kafka.address}/{new_id()}")
    transport = KafkaTransport(address, partitions=2, replication=1, session_seconds=6.0)
    yield transport
    await transport.close()


@pytest.mark.parametrize("api", ERRORS, ids=lambda api: api.name.lower())
async def test_no_error_loses_a_record_or_the_order_of_a_key(
    api: Api, kafka: ErringKafka, transport: KafkaTransport, database: Database
) -> None:
    handler, publisher = RememberingHandler(), Publisher(transport, Metrics(CollectorRegistry()))
    async with running(engine_of(transport, handler, database)):
        await publish_all(publisher, "first")
        await eventually(lambda: has_all(handler, "first"), within=WITHIN)

        for error in ERRORS[api]:
            kafka.err(api, error.errno, times=2)
            await publish_all(publisher, error.__name__)
            await eventually(lambda: has_met_all(api, kafka, transport), within=WITHIN)
            await publish_all(publisher, f"after {error.__name__}")
            await eventually(lambda e=error: has_all(handler, f"after {e.__name__}"), within=WITHIN)

    expected = ["first"]
    for error in ERRORS[api]:
        expected += [error.__name__, f"after {error.__name__}"]
    for contact in CONTACTS:
        assert list(dict.fromkeys(handler.words_of(contact))) == expected


async def publish_all(publisher: Publisher, words: str) -> None:
    """A message of each contact, again and again until it is taken."""
    for contact in CONTACTS:
        event = message(contact, words)
        while True:
            try:
                await publisher.publish(event, deadline=20.0)
                break
            except (DependencyDown, PermanentError):
                continue


def has_all(handler: RememberingHandler, words: str) -> bool:
    return all((contact, words) in handler.finished for contact in CONTACTS)


async def has_met_all(api: Api, kafka: ErringKafka, transport: KafkaTransport) -> bool:
    """Whether every error was answered; who joins may meet them all, and nobody asks any more."""
    if kafka.errors_left[api] and api in ASKED_WHEN_JOINING:
        await join_and_leave(transport)
    return kafka.errors_left[api] == 0


async def join_and_leave(transport: KafkaTransport) -> None:
    """Another member for a moment: everybody joins anew, and asks what only they who join ask."""

    async def let_go(_shards: object) -> None: ...

    try:
        async with transport.subscribe(
            MESSAGES_RECEIVED.consumer, [MESSAGES_RECEIVED], let_go
        ) as subscription:
            await subscription.fetch(1)
    except DependencyDown:
        pass  # the error was for this one
