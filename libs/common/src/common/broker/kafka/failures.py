"""What Kafka's errors mean for us."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
)

from common.broker.kafka.address import Address
from common.broker.kafka.knocking import why_nobody_answers
from common.errors import DependencyDown


async def away(error: BaseException, address: Address, *, deed: str = "read") -> DependencyDown:
    """Say in a sentence what is wrong; `deed` is what was about to be done with a topic."""
    who = address.security.who
    match error:
        case KafkaConnectionError() | NodeNotReadyError():
            cause = await why_nobody_answers(address)
        case TimeoutError():
            cause = f"no answer in time from {address.text}"
        case TopicAuthorizationFailedError():
            cause = f"topic {_names(error)} may not be {deed} by {who}"
        case GroupAuthorizationFailedError():
            cause = f"group {_names(error)} may not be joined by {who}"
        case ClusterAuthorizationFailedError():
            cause = f"no topic may be written by {who}"
        case KafkaError(__cause__=KafkaError() as inner) if type(error) is KafkaError:
            return await away(inner, address, deed=deed)
        case _:
            words = str(error) or type(error).__name__
            cause = f"{type(error).__name__}: {words.splitlines()[0]}"
    return DependencyDown("kafka", cause)


@asynccontextmanager
async def classified(address: Address, *, deed: str = "read") -> AsyncGenerator[None]:
    """Raise `DependencyDown` in place of what Kafka's client raises while no broker serves us."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise await away(error, address, deed=deed) from error


def _names(error: KafkaError) -> str:
    """Read the topics or the group that aiokafka hands over with a refusal."""
    named: str | Collection[str] = error.args[0] if error.args else "?"
    return named if isinstance(named, str) else ", ".join(sorted(named))
