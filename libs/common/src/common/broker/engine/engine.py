"""The consumer: what Recado promises about records, over any transport.

Records of one key are handled one at a time and in order; keys do not wait for each other beyond
a free slot, and tenants take turns. A handler that raises has one of three outcomes:
`PermanentError`, and bytes that cannot be decoded, make a dead letter at once; `DependencyDown`
pauses the whole consumer until it is over, without counting an attempt; any other exception is
retried in place, while only its key waits, and makes a dead letter when the policy's budget is used
up. The dead letter is written before the record is acknowledged, and later records of its key go
on. Too many of them halt the consumer, or suspend the one tenant whose they are, until an operator
says otherwise.

Reading top-down: `engine` joins, `session` reads and gives back, `workers` run the `lanes`,
`handling` knows the outcomes, `acknowledgements` go back in batches, `outage` is the pause,
`halting` the halt, and `watchdog` sees to it that all this is seen.
"""

import asyncio
from collections.abc import Collection, Mapping

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.halting import Halting
from common.broker.engine.handling import EventGivenUp, EventHandler, Handling
from common.broker.engine.limits import Limits
from common.broker.engine.measures import Measures
from common.broker.engine.retry import RetryPolicy
from common.broker.engine.session import Session
from common.broker.outage import Outage, wait_unless
from common.broker.transport import Transport
from common.errors import DependencyDown
from common.events import TOPICS, Topic
from common.observability.metrics import Metrics

_JOINING = "joining"


class Engine:
    """One consumer of one group; a component."""

    def __init__(
        self,
        transport: Transport,
        group: str,
        handlers: Mapping[Topic, EventHandler],
        *,
        dead_letters: DeadLetters,
        halts: Halts,
        policy: RetryPolicy,
        limits: Limits,
        conditions: Conditions,
        metrics: Metrics,
        given_up: Mapping[Topic, EventGivenUp] | None = None,
    ) -> None:
        """Refuse handlers that are not those of the group's topics. Nothing is read before `run`.

        `given_up` says what a dead letter means, by topic.
        """
        _refuse_others(group, handlers, given_up or {})
        self._transport = transport
        self._group = group
        self._topics = tuple(handlers)
        self._limits = limits
        self._measures = Measures(metrics, group, [topic.name for topic in handlers])
        self._outage = Outage(group, metrics)
        self._halting = Halting(group, halts, conditions, metrics)
        self._handling = Handling(
            {topic.name: handler for topic, handler in handlers.items()},
            dead_letters,
            self._halting,
            policy,
            metrics,
            given_up={topic.name: meaning for topic, meaning in (given_up or {}).items()},
        )
        self._session: Session | None = None

    async def ready(self) -> str | None:
        """Return None while it consumes, else what it waits for."""
        if self._halting.reason is not None:
            return f"halted: {self._halting.reason}"
        if self._outage.reason is not None:
            return self._outage.reason
        return None if self._session is not None else "not consuming"

    async def alive(self) -> str | None:
        """Return None unless it has work, waits for nothing, and settles nothing all the same."""
        return None if self._session is None else self._session.watchdog.stalled()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop, over every outage; then drain, acknowledge and leave."""
        while not stop.is_set():
            try:
                await self._consume(stop)
            except DependencyDown as error:
                delay = self._outage.begins(_JOINING, error)
                self._outage.narrow_to(_JOINING)
                await wait_unless(stop, delay)

    async def _consume(self, stop: asyncio.Event) -> None:
        self._halting.forget()
        await self._halting.look()
        async with self._transport.subscribe(
            self._group, self._topics, self._give_back
        ) as subscription:
            self._outage.ends(_JOINING)
            self._session = Session(
                subscription,
                self._handling,
                self._outage,
                self._halting,
                measures=self._measures,
                limits=self._limits,
            )
            try:
                await self._session.run(stop)
            finally:
                self._session = None

    async def _give_back(self, shards: Collection[str]) -> None:
        self._halting.forget()
        self._measures.shards_given_back.inc(len(shards))
        if self._session is not None:
            await self._session.give_back(shards)


def _refuse_others(
    group: str, handlers: Mapping[Topic, EventHandler], given_up: Mapping[Topic, EventGivenUp]
) -> None:
    own = {topic for topic in TOPICS if topic.consumer == group}
    if foreign := {topic.name for topic in (*handlers, *given_up)} - {topic.name for topic in own}:
        raise ValueError(f"{group} must not consume {', '.join(sorted(foreign))}")
    if missing := {topic.name for topic in own} - {topic.name for topic in handlers}:
        raise ValueError(f"{group} has no handler for {', '.join(sorted(missing))}")
