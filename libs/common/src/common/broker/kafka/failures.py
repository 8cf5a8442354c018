"""What Kafka's errors mean for us."""

from collections.abc import Generator
from contextlib import contextmanager

from aiokafka.errors import KafkaConnectionError, KafkaError

from common.broker.kafka.address import Address
from common.errors import DependencyDown


def away(error: BaseException, address: Address) -> DependencyDown:
    """Say in a few words what is wrong."""
    if isinstance(error, KafkaConnectionError):
        return DependencyDown("kafka", f"no broker answers at {address.text}")
    if isinstance(error, TimeoutError):
        return DependencyDown("kafka", f"no answer in time from {address.text}")
    words = str(error) or type(error).__name__
    return DependencyDown("kafka", f"{type(error).__name__}: {words.splitlines()[0]}")


@contextmanager
def classified(address: Address) -> Generator[None]:
    """Raise `DependencyDown` in place of what Kafka's client raises while no broker serves us."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise away(error, address) from error
