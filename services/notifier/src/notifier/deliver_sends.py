"""Everything that waits for one sender, in order per recipient, inside its rate.

A part is claimed and the claim committed before Twilio is called: whatever happens to the process
afterwards, nobody can take the part for one that was never tried.
"""

import time
from datetime import timedelta
from functools import partial

from opentelemetry.trace import SpanKind

from common.accounts import AccountRegistry
from common.database import Database, Transaction
from common.errors import DependencyDown
from common.ids import Ulid
from common.jobs import Job, Jobs
from common.observability.correlation import bind
from common.observability.tracing import tracer
from notifier.channel_accounts import opened
from notifier.claim_parts import PATIENCE, ClaimParts, Round, SenderRun
from notifier.flights import flights
from notifier.message_sender import (
    Accepted,
    MessageSender,
    NotSent,
    OutgoingMessage,
    Refused,
    SendResult,
    Unknown,
)
from notifier.part_outcomes import PartOutcomes, tell_mistake
from notifier.sends.error_catalogue import Retry, meaning, rate_code
from notifier.sends.part import Part
from notifier.sends.repository import find_part
from notifier.sends.statuses import PartState, reported
from notifier.settings import NotifierSection

_UNAUTHORIZED = 401
_LOOK_SECONDS = 0.2  # for parts that arrive while calls are in the air


def longest_call(settings: NotifierSection) -> timedelta:
    """Return for how long a lease must last when a call begins: a little longer than the call."""
    return timedelta(seconds=settings.call_seconds * 1.1)


class DeliverSends:
    """Runs the `sender` job; whoever holds it is the only one to claim parts of that sender."""

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
        self._outcomes = outcomes
        self._accounts = accounts
        self._sender = sender
        self._settings = settings
        self._claims = ClaimParts(jobs, outcomes, settings)
        self._longest_call = longest_call(settings)

    async def __call__(self, job: Job) -> None:
        """Send what is due until nothing is, or until it is others' turn."""
        run = SenderRun(job)
        async with flights() as calls:
            while self._has_time(run):
                limit = self._settings.recipients_at_once - len(calls.in_air)
                may_end = not calls.in_air
                found = await self._look(run, limit, may_end=may_end) if limit else Round()
                if job.outcome is not None:  # nothing to do: the look itself ended the job
                    return
                for part in found.claimed:  # before anything that may fail: they are claimed
                    calls.start(self._deliver(run, part))
                for account in found.unknown:
                    run.accounts[account] = await opened(self._accounts.find(account), account)
                longest = timedelta(seconds=_LOOK_SECONDS) if calls.in_air else PATIENCE
                wait = longest if found.look_again_in is None else min(longest, found.look_again_in)
                await calls.landing(within=wait.total_seconds())
        await self._database.transaction(partial(self._claims.end, run=run), tenant=job.tenant)

    def _has_time(self, run: SenderRun) -> bool:
        is_others_turn = time.monotonic() - run.started > self._settings.run_seconds
        return not is_others_turn and run.job.held_for() > self._longest_call

    async def _look(self, run: SenderRun, limit: int, *, may_end: bool) -> Round:
        claim = partial(self._claims.claim, run=run, limit=limit, may_end=may_end)
        return await self._database.transaction(claim, tenant=run.job.tenant)

    async def _deliver(self, run: SenderRun, part: Part) -> None:
        with (
            tracer().start_as_current_span("send part", kind=SpanKind.CLIENT),
            bind(correlation=part.correlation_id, tenant=part.tenant_id),
        ):
            try:
                await self._settle(run, part, await self._call(run, part))
            except DependencyDown:
                raise
            except Exception as error:  # noqa: BLE001 - no other recipient is to wait for it
                tell_mistake(part, error)
                await self._settle(run, part, Unknown(type(error).__name__))

    async def _settle(self, run: SenderRun, part: Part, result: SendResult) -> None:
        record = partial(self._record, part_id=part.id, token=run.job.token, result=result)
        await self._database.transaction(record, tenant=part.tenant_id)

    async def _call(self, run: SenderRun, part: Part) -> SendResult:
        account = run.accounts.get(part.account)
        if account is None or run.job.held_for() <= self._longest_call:
            return NotSent("the lease would not outlast the call")
        message = OutgoingMessage(
            part=part.id,
            correlation=part.correlation_id,
            sender=part.sender,
            recipient=part.recipient,
            text=part.text,
        )
        result = await self._sender.create(account, message)
        if isinstance(result, Refused) and result.http_status == _UNAUTHORIZED:
            try:
                fresh = await opened(self._accounts.refresh(part.account), part.account)
            except DependencyDown as error:
                run.accounts.pop(part.account, None)  # the next look reads it, or waits for it
                return NotSent(error.cause)
            run.accounts[part.account] = fresh
            if fresh != account:
                return NotSent("the account has other credentials now")
        return result

    def _record(self, tx: Transaction, part_id: Ulid, token: int, result: SendResult) -> None:
        """Write what the call came to; true whoever holds the sender by now, so no fence is due."""
        part = find_part(tx, part_id, lock=True)
        if part is None:
            return
        if isinstance(result, Accepted):
            statuses = reported(result.status, tx.now)
            self._outcomes.learn(tx, part, result.provider_message_id, statuses)
        elif part.claim_token != token or part.state not in (
            PartState.CLAIMED,
            PartState.UNCERTAIN,
        ):
            pass  # a callback, or the reconciler, knew more than this call
        elif isinstance(result, NotSent):
            self._postpone(tx, part)
        elif isinstance(result, Refused):
            self._refused(tx, part, result)
        elif part.state is PartState.CLAIMED:
            self._outcomes.doubt(tx, part, result.cause)

    def _refused(self, tx: Transaction, part: Part, result: Refused) -> None:
        what = meaning(result.code, result.http_status)
        if what.retry is Retry.RATE:
            self._postpone(tx, part, result.retry_after, rate_code(result.code))
        elif what.retry is Retry.LATER:
            self._postpone(tx, part, result.retry_after, result.code)
        else:
            self._outcomes.fail(tx, part, what.reason, result.code)

    def _postpone(
        self,
        tx: Transaction,
        part: Part,
        retry_after: timedelta | None = None,
        code: int | None = None,
    ) -> None:
        delay = self._settings.retry_delay(tx.now - part.accepted_at)
        self._outcomes.postpone(tx, part, retry_after or delay, code)
