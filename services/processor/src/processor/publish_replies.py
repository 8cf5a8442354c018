"""Hand the replies of one recipient to the broker, in the order in which they were stored."""

from functools import partial

from common.broker.outbox import Outbox, OutboxRow
from common.broker.publisher import Publisher
from common.database import Database, Transaction
from common.jobs import Job, Jobs

_AT_ONCE = 100


class PublishReplies:
    """Handles the `publish` job of a broker key: a reply may go out again, never out of order."""

    def __init__(
        self, database: Database, jobs: Jobs, outbox: Outbox, publisher: Publisher
    ) -> None:
        """Take what it reads from and writes to."""
        self._database = database
        self._jobs = jobs
        self._outbox = outbox
        self._publisher = publisher

    async def __call__(self, job: Job) -> None:
        """Publish what is kept of the key, each once the one before is durable; then forget it.

        What is stored meanwhile has scheduled the job again.
        """
        rows = await self._database.read(
            lambda tx: self._outbox.pending(tx, job.key, _AT_ONCE), tenant=job.tenant
        )
        for row in rows:
            await self._publisher.publish_record(row.record)
        await self._database.transaction(partial(self._finish, job, rows), tenant=job.tenant)

    def _finish(self, job: Job, rows: list[OutboxRow], tx: Transaction) -> None:
        self._outbox.forget(tx, rows)
        if len(rows) == _AT_ONCE:
            self._jobs.schedule(tx, job.kind, job.key)
        self._jobs.done(tx, job)
