"""Hand the replies of one recipient to the broker, in the order in which they were stored."""

from collections.abc import Sequence
from functools import partial

from common.broker.dead_letters.letters import DeadLetters
from common.broker.outbox import Outbox, OutboxRow, hand_over
from common.broker.publisher import Publisher
from common.database import Database, Transaction
from common.events import Record, Unanswered, decode
from common.jobs import Job, Jobs
from processor.conversation import messages

_AT_ONCE = 100


class PublishReplies:
    """Handles the `publish` job of a broker key: a reply may go out again, never out of order.

    The messages that a reply covers are dead-lettered with it, if the broker will never take it.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        outbox: Outbox,
        publisher: Publisher,
        dead_letters: DeadLetters,
    ) -> None:
        """Take what it reads from and writes to."""
        self._database = database
        self._jobs = jobs
        self._outbox = outbox
        self._publisher = publisher
        self._dead_letters = dead_letters

    async def __call__(self, job: Job) -> None:
        """Publish what is kept of the key, each once the one before is durable; then forget it.

        What is stored meanwhile has scheduled the job again.
        """
        rows = await self._database.read(
            lambda tx: self._outbox.pending(tx, job.key, _AT_ONCE), tenant=job.tenant
        )
        refused = await hand_over(rows, self._publisher, self._dead_letters, tenant=job.tenant)
        finish = partial(self._finish, job, rows, refused)
        await self._database.transaction(finish, tenant=job.tenant)

    def _finish(
        self, job: Job, rows: Sequence[OutboxRow], refused: Sequence[Record], tx: Transaction
    ) -> None:
        for record in refused:
            reply = decode(record).payload.message
            messages.correct(tx, reply=reply, outcome=Unanswered.DEAD_LETTERED)
        self._outbox.forget(tx, rows)
        if len(rows) == _AT_ONCE:
            self._jobs.schedule(tx, job.kind, job.key)
        self._jobs.done(tx, job)
