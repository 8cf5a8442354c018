"""Jobs that failed for good: what they leave unsent gets its outcome. Silence has a reason."""

from datetime import timedelta

from common.database import Transaction
from common.events import Unanswered
from common.ids import parse_id
from common.jobs import Job, Jobs
from notifier.job_kinds import SENDER
from notifier.part_outcomes import PartOutcomes
from notifier.sends.repository import find_part, heads
from notifier.sends.statuses import PartState

_AT_ONCE = 100
_NOBODYS = 0  # a claim's token is greater


class GiveUpSender:
    """Runs in the transaction that makes a `sender` job a failed one.

    Something that was next to be sent stopped all attempts, so that much is given up and no more:
    the rest gets another run. So a fault of an hour does not empty a backlog of a day.
    """

    def __init__(self, jobs: Jobs, outcomes: PartOutcomes) -> None:
        """Take the notifier's own jobs."""
        self._jobs = jobs
        self._outcomes = outcomes

    def __call__(self, tx: Transaction, job: Job) -> None:
        """Fail the parts that were due; one that may have been taken is looked for instead."""
        for part in heads(tx, job.key, token=_NOBODYS, limit=_AT_ONCE):
            if part.state is PartState.CLAIMED:
                self._outcomes.doubt(tx, part, "its sender's job failed")
            elif part.state is PartState.WAITING and part.not_before <= tx.now:
                self._outcomes.fail(tx, part, Unanswered.DEAD_LETTERED)
        if rest := heads(tx, job.key, token=_NOBODYS, limit=1):
            wait = max(timedelta(0), rest[0].not_before - tx.now)
            self._jobs.schedule(tx, SENDER, job.key, due_in=wait)


class GiveUpReconcile:
    """Runs in the transaction that makes a `reconcile` job a failed one."""

    def __init__(self, outcomes: PartOutcomes) -> None:
        """Take what may become of a part."""
        self._outcomes = outcomes

    def __call__(self, tx: Transaction, job: Job) -> None:
        """Leave the part to a person."""
        part = find_part(tx, parse_id(job.key), lock=True)
        if part is not None and part.state is PartState.UNCERTAIN:
            self._outcomes.give_up(tx, part, "looking for it failed")
