"""A turn that failed for good: its messages get their outcome, its conversation ends.

Silence must have a reason that is written down. The contact's next message opens another
conversation, and so has a fresh turn.
"""

from functools import partial

import structlog

from common.database import Transaction
from common.events import Unanswered
from common.ids import parse_id
from common.jobs import Job
from common.observability.metrics import Metrics
from processor.conversation import messages
from processor.conversation import repository as conversations
from processor.conversation.rules import Happening, Patience, decide

log = structlog.get_logger()


class GiveUpTurn:
    """Runs in the transaction that makes a `turn` job a failed one."""

    def __init__(self, metrics: Metrics, *, patience: Patience) -> None:
        """Take what the rules need."""
        self._metrics = metrics
        self._patience = patience

    def __call__(self, tx: Transaction, job: Job) -> None:
        """Settle what the turn leaves unanswered, and close the conversation as failed."""
        conversation = conversations.lock(tx, parse_id(job.key))
        if conversation is None:
            return
        standing = conversations.standing(conversation)
        step = decide(standing, Happening.FAILURE, tx.now, self._patience)
        waiting = [message.id for message in messages.undecided(tx, conversation.id)]
        messages.settle(tx, waiting, outcome=Unanswered.DEAD_LETTERED)
        conversations.end_turn(tx, conversation.id)
        conversations.save(tx, conversation, step)
        tx.after_commit(partial(self._tell, job.key, len(waiting)))

    def _tell(self, conversation: str, count: int) -> None:
        self._metrics.messages.labels(Unanswered.DEAD_LETTERED).inc(count)
        log.error("turn given up", conversation_id=conversation, messages=count)
