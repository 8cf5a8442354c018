"""What became of a part of which nobody knows whether the provider took it.

Most resolve by themselves, by the first callback, before this looks. What is left is looked for in
the provider's list, twice, since the list may lag; then it is sent once more, or left to a person.
A list tells messages apart by their words only, so it cannot tell two parts of the same words.
"""

from datetime import timedelta
from functools import partial
from typing import Final

from common.accounts import AccountRegistry
from common.database import Database, Transaction
from common.ids import parse_id
from common.jobs import Job, Jobs
from notifier.channel_accounts import opened
from notifier.message_sender import ListedMessage, ListResult, MessageSender, NotSent
from notifier.part_outcomes import PartOutcomes
from notifier.sends.matching import candidates, have_same_words
from notifier.sends.part import Part
from notifier.sends.repository import bound_ids, change, find_part, texts_maybe_sent
from notifier.sends.statuses import PartState, reported
from notifier.settings import NotifierSection

LOOKS: Final = 2
RESENDS: Final = 1


class ReconcileSends:
    """Runs the `reconcile` job of one part."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        outcomes: PartOutcomes,
        *,
        accounts: AccountRegistry,
        sender: MessageSender,
        settings: NotifierSection,
    ) -> None:
        """Take the notifier's own jobs, and the provider."""
        self._database = database
        self._jobs = jobs
        self._outcomes = outcomes
        self._accounts = accounts
        self._sender = sender
        self._settings = settings

    async def __call__(self, job: Job) -> None:
        """Look once, and end the job or put it off to the next look."""
        find = partial(find_part, part=parse_id(job.key))
        part = await self._database.read(find, tenant=job.tenant)
        is_open = part is not None and part.state is PartState.UNCERTAIN
        listed = await self._list(part) if part is not None and is_open else ()
        conclude = partial(self._conclude, job=job, listed=listed)
        await self._database.transaction(conclude, tenant=job.tenant)

    async def _list(self, part: Part) -> ListResult:
        account = await opened(self._accounts.find(part.account), part.account)
        if account is None:
            return NotSent("the channel account is gone")
        return await self._sender.list_messages(account, part.sender, part.recipient)

    def _conclude(self, tx: Transaction, job: Job, listed: ListResult) -> None:
        part = find_part(tx, parse_id(job.key), lock=True)
        if part is None or part.state is not PartState.UNCERTAIN:
            wait = None
        elif isinstance(listed, tuple):
            wait = self._compare(tx, part, listed)
        else:
            wait = self._wait_for_callback(tx, part, "the provider gave no list")
        if wait is None:
            self._jobs.done(tx, job)
        else:
            self._jobs.again(tx, job, due_in=wait)

    def _compare(
        self, tx: Transaction, part: Part, listed: tuple[ListedMessage, ...]
    ) -> timedelta | None:
        """Settle the part by what is listed, or return how long to wait for a next look."""
        found = candidates(
            listed,
            text=part.text,
            since=part.claimed_at or part.accepted_at,
            bound=bound_ids(tx, part.account, [message.provider_message_id for message in listed]),
        )
        if found and _has_twin(tx, part):
            return self._wait_for_callback(tx, part, "another part has the same words")
        if len(found) == 1:
            (message,) = found
            self._outcomes.learn(
                tx,
                part,
                message.provider_message_id,
                reported(message.status, tx.now),
                message.error_code,
                is_guess=True,
            )
        elif found:
            self._outcomes.give_up(tx, part, "several messages like it are listed")
        elif part.looks + 1 < LOOKS:
            change(tx, part, looks=part.looks + 1)
            return timedelta(seconds=self._settings.reconcile_second_seconds)
        elif part.resends >= RESENDS:
            self._outcomes.give_up(tx, part, "it is not listed, and was sent again before")
        else:
            self._outcomes.send_again(tx, part)  # unless a later part was sent: see `claim_parts`
        return None

    def _wait_for_callback(self, tx: Transaction, part: Part, why: str) -> timedelta | None:
        lasted = tx.now - (part.claimed_at or part.accepted_at)
        if lasted > timedelta(seconds=self._settings.reconcile_limit_seconds):
            self._outcomes.give_up(tx, part, why)
            return None
        return self._settings.retry_delay(lasted)


def _has_twin(tx: Transaction, part: Part) -> bool:
    return any(have_same_words(text, part.text) for text in texts_maybe_sent(tx, part))
