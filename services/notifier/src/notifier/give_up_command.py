"""A `SendMessage` that became a dead letter: the processor is told. Silence has a reason."""

from common.broker.outbox import Outbox, publish_key
from common.database import Transaction
from common.events import Event, SendFailed, SendMessage, Unanswered
from common.ids import derived_id
from common.jobs import Jobs
from notifier.job_kinds import PUBLISH
from notifier.part_outcomes import SOURCE
from notifier.sends.repository import is_stored


class GiveUpCommand:
    """Runs in the transaction that writes the dead letter."""

    def __init__(self, jobs: Jobs, outbox: Outbox) -> None:
        """Take the notifier's own jobs and outbox."""
        self._jobs = jobs
        self._outbox = outbox

    def __call__(self, tx: Transaction, event: Event[SendMessage]) -> None:
        """Announce that nothing of it is sent, as one part whose id is the message's.

        Not where its parts are stored after all: what becomes of them is announced part by part.
        """
        command = event.payload
        if is_stored(tx, command.message):
            return
        failed = SendFailed(
            message=command.message,
            sender=command.sender,
            recipient=command.recipient,
            part=command.message,
            ordinal=0,
            parts=1,
            at=tx.now,
            reason=Unanswered.DEAD_LETTERED,
        )
        self._jobs.schedule(tx, PUBLISH, publish_key(failed.key), correlation=event.correlation)
        self._outbox.append(
            tx,
            Event[SendFailed].of(
                failed,
                source=SOURCE,
                tenant=event.tenant,
                correlation=event.correlation,
                event_id=derived_id(failed.type, str(failed.part), failed.reason),
            ),
        )
