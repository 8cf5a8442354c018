"""Silence makes a conversation idle, and in the end closes it."""

from functools import partial

import structlog

from common.database import Database, Transaction
from common.ids import parse_id
from common.jobs import Job, Jobs
from processor.conversation import repository as conversations
from processor.conversation.rules import (
    Happening,
    Patience,
    Standing,
    Step,
    decide,
    next_change,
)

log = structlog.get_logger()


class AdvanceConversation:
    """Handles the `timer` job of a conversation, which runs until time can change nothing more.

    It makes rows say what the rules say anyway: a timer that is late changes no decision.
    """

    def __init__(self, database: Database, jobs: Jobs, *, patience: Patience) -> None:
        """Take how much silence is how much."""
        self._database = database
        self._jobs = jobs
        self._patience = patience

    async def __call__(self, job: Job) -> None:
        """Write the state that is due, and come back when the next one may be."""
        changed = await self._database.transaction(partial(self._advance, job), tenant=job.tenant)
        if changed is not None:
            log.info("conversation advanced", conversation_id=job.key, state=changed.state)

    def _advance(self, job: Job, tx: Transaction) -> Step | None:
        conversation = conversations.lock(tx, parse_id(job.key))
        if conversation is None:
            self._jobs.done(tx, job)
            return None
        before = conversations.standing(conversation)
        step = decide(before, Happening.TIME, tx.now, self._patience)
        changed = step.state is not before.state
        if changed:
            conversations.save(tx, conversation, step)
        after = Standing(step.state, step.closing, before.active_at)
        due = next_change(after, self._patience)
        if due is None:
            self._jobs.done(tx, job)
        else:
            self._jobs.again(tx, job, due_in=due - tx.now)
        return step if changed else None
