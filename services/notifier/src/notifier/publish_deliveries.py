"""What the notifier has to say about one recipient's messages, in sequence."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from common.broker.dead_letters.letters import DeadLetters
from common.broker.outbox import Outbox, OutboxRow, hand_over
from common.broker.publisher import Publisher
from common.database import Database, Transaction
from common.jobs import Job, Jobs

_AT_ONCE = 100


class PublishDeliveries:
    """Runs the `publish` job of one broker key; only its holder publishes that key."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        outbox: Outbox,
        publisher: Publisher,
        dead_letters: DeadLetters,
    ) -> None:
        """Take the notifier's own jobs and outbox."""
        self._database = database
        self._jobs = jobs
        self._outbox = outbox
        self._publisher = publisher
        self._dead_letters = dead_letters

    async def __call__(self, job: Job) -> None:
        """Publish what waits, one after the other, and forget it.

        What the broker will never take is a dead letter, and nothing else: the part keeps its row.
        """
        pending = partial(self._outbox.pending, key=job.key, limit=_AT_ONCE)
        rows = await self._database.read(pending, tenant=job.tenant)
        await hand_over(rows, self._publisher, self._dead_letters, tenant=job.tenant)
        await self._database.transaction(partial(self._end, job=job, rows=rows), tenant=job.tenant)

    def _end(self, tx: Transaction, job: Job, rows: Sequence[OutboxRow]) -> None:
        self._outbox.forget(tx, rows)
        if len(rows) < _AT_ONCE:
            self._jobs.done(tx, job)
        else:
            self._jobs.again(tx, job, due_in=timedelta(0))
