"""The consumer: what Recado promises about records, over any transport.

Records of one key are handled one at a time and in order; keys do not wait for each other beyond a
free slot. A handler that raises has one of three outcomes: `PermanentError`, and bytes that cannot
be decoded, make a dead letter at once; `DependencyDown` pauses the whole consumer until it is over,
without counting an attempt; any other exception is retried in place, while only its key waits, and
makes a dead letter when the policy's budget is used up. The dead letter is written before the
record is acknowledged, and later records of its key go on.

Reading top-down: `engine` joins, `session` reads and gives back, `workers` run the `lanes`,
`handling` knows the outcomes, `acknowledgements` go back in batches, `outage` is the pause.
"""

import asyncio
from collections.abc import Collection, Mapping

from common.broker.dead_letters import DeadLetters
from common.broker.handling import EventGivenUp, EventHandler, Handling
from common.broker.outage import Outage, wait_unless
from common.broker.retry import RetryPolicy
from common.broker.session import Limits, Session
from common.broker.transport import Transport
from common.errors import DependencyDown
from common.events import Topic
from common.observability.metrics import Metrics

_JOINING = "joining"
_WINDOW_PER_SLOT = 4
_HANDLERS_SHARE = 0.75
"""Of a drain; the rest is for acknowledging what they finished, and for leaving the group."""
_LONGEST_DRAIN_SECONDS = 20.0
"""A group of Kafka's waits half a minute for a member to let go of what it lost."""


class Engine:
    """One consumer of one group; a component."""

    def __init__(
        self,
        transport: Transport,
        group: str,
        handlers: Mapping[Topic, EventHandler],
        *,
        dead_letters: DeadLetters,
        policy: RetryPolicy,
        metrics: Metrics,
        drain_seconds: float,
        concurrency: int = 64,
        given_up: Mapping[Topic, EventGivenUp] | None = None,
    ) -> None:
        """Refuse a topic that `group` must not consume. Nothing is read before `run`.

        `drain_seconds` are the process': handlers get most of them to finish in, and never as long
        as a group waits for a member to let go. `given_up` says what a dead letter means, by topic.
        """
        _refuse_foreign(group, handlers)
        self._transport = transport
        self._group = group
        self._topics = tuple(handlers)
        by_name = {topic.name: handler for topic, handler in handlers.items()}
        meanings = {topic.name: meaning for topic, meaning in (given_up or {}).items()}
        self._handling = Handling(by_name, dead_letters, policy, metrics, given_up=meanings)
        self._outage = Outage(group, metrics)
        self._in_flight = metrics.records_in_flight.labels(group)
        drain = min(drain_seconds * _HANDLERS_SHARE, _LONGEST_DRAIN_SECONDS)
        self._limits = Limits(concurrency, concurrency * _WINDOW_PER_SLOT, drain)
        self._session: Session | None = None

    async def ready(self) -> str | None:
        """Return None while it consumes, else what it waits for."""
        if self._outage.reason is not None:
            return self._outage.reason
        return None if self._session is not None else "not consuming"

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop, over every outage; then drain, acknowledge and leave."""
        while not stop.is_set():
            try:
                async with self._transport.subscribe(
                    self._group, self._topics, self._give_back
                ) as subscription:
                    self._outage.ends(_JOINING)
                    self._session = Session(
                        subscription,
                        self._handling,
                        self._outage,
                        self._in_flight,
                        limits=self._limits,
                    )
                    await self._session.run(stop)
            except DependencyDown as error:
                self._session = None
                delay = self._outage.begins(_JOINING, error)
                self._outage.narrow_to(_JOINING)
                await wait_unless(stop, delay)
            finally:
                self._session = None

    async def _give_back(self, shards: Collection[str]) -> None:
        if self._session is not None:
            await self._session.give_back(shards)


def _refuse_foreign(group: str, handlers: Mapping[Topic, EventHandler]) -> None:
    foreign = [topic.name for topic in handlers if topic.consumer != group]
    if foreign:
        raise ValueError(f"{group} must not consume {', '.join(foreign)}")
