"""Which parts of one sender may be sent now: the rules between a part that waits and its call."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from common.accounts import ChannelAccount, find_permission
from common.database import Transaction
from common.errors import DependencyDown
from common.events import Channel, Unanswered
from common.ids import Ulid
from common.jobs import Job, Jobs
from notifier.part_outcomes import PartOutcomes
from notifier.sends.admission import refusal
from notifier.sends.error_catalogue import RATE_CODES
from notifier.sends.part import Part
from notifier.sends.repository import change, claims_since, heads, held_back_until, is_overtaken
from notifier.sends.statuses import PartState
from notifier.sends.token_bucket import TokenBucket
from notifier.settings import NotifierSection

NOW = timedelta(0)
PATIENCE = timedelta(seconds=1)  # a longer wait is the job's, not its holder's


@dataclass(slots=True)
class SenderRun:
    """What the holder of a sender's job knows while it holds it."""

    job: Job
    accounts: dict[Ulid, ChannelAccount | None] = field(default_factory=dict)
    bucket: TokenBucket | None = None
    started: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Round:
    """What one look at the sender's parts came to."""

    claimed: list[Part] = field(default_factory=list)
    unknown: set[Ulid] = field(default_factory=set)
    """Channel accounts that must be read before their parts can be claimed."""
    look_again_in: timedelta | None = None
    """None: not before something lands or arrives."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing was found that is to be done now or soon."""
        wait = self.look_again_in
        return not self.claimed and (wait is None or wait > PATIENCE)

    def wait(self, duration: timedelta) -> None:
        """Look again after `duration`, unless there is a reason to look earlier."""
        earliest = duration if self.look_again_in is None else self.look_again_in
        self.look_again_in = min(duration, earliest)


class ClaimParts:
    """Looks at the heads of a sender's lines, one per recipient."""

    def __init__(self, jobs: Jobs, outcomes: PartOutcomes, settings: NotifierSection) -> None:
        """Take the notifier's own jobs."""
        self._jobs = jobs
        self._outcomes = outcomes
        self._settings = settings
        self._rates = {
            Channel.WHATSAPP: settings.whatsapp_per_second,
            Channel.SMS: settings.sms_per_second,
        }

    def claim(self, tx: Transaction, run: SenderRun, *, limit: int, may_end: bool) -> Round:
        """Claim up to `limit` parts, at most one per recipient, and settle those that may not go.

        With nothing to do it ends the job, if it `may_end`. Raises `LeaseLostError`, and nothing is
        claimed, when another process holds the sender.
        """
        this = Round()
        if wait := self._held_back(tx, run.job):
            this.wait(wait)
        else:
            page = heads(tx, run.job.key, token=run.job.token, limit=2 * limit)
            for part in page:
                if len(this.claimed) == limit:
                    break
                if wait := self._consider_alone(tx, run, part, this):
                    this.wait(wait)
                    break
        if may_end and this.is_idle:
            self._end(tx, run.job, this.look_again_in)
        else:
            self._jobs.hold(tx, run.job)
        return this

    def end(self, tx: Transaction, run: SenderRun) -> None:
        """End the job, until there is something to do again."""
        wait = None
        if page := heads(tx, run.job.key, token=run.job.token, limit=1):
            bucket = run.bucket.wait(tx.now) if run.bucket else NOW
            wait = max(page[0].not_before - tx.now, self._held_back(tx, run.job), bucket, NOW)
        self._end(tx, run.job, wait)

    def _end(self, tx: Transaction, job: Job, wait: timedelta | None) -> None:
        if wait is None:
            self._jobs.done(tx, job)
        else:
            self._jobs.again(tx, job, due_in=wait)

    def _consider_alone(
        self, tx: Transaction, run: SenderRun, part: Part, this: Round
    ) -> timedelta | None:
        """See `_consider`; what goes wrong over one part keeps no other recipient waiting."""
        try:
            return self._consider(tx, run, part, this)
        except DependencyDown:
            raise
        except Exception as error:
            if part.state is not PartState.WAITING:
                raise
            self._outcomes.stumble(tx, part, error)
            this.wait(NOW)
            return None

    def _consider(
        self, tx: Transaction, run: SenderRun, part: Part, this: Round
    ) -> timedelta | None:
        """Settle one head; return how long to wait when it and all after it must."""
        if part.state is PartState.CLAIMED:
            self._outcomes.doubt(tx, part, "who claimed it lost its lease")
        elif part.not_before > tx.now:
            return part.not_before - tx.now
        elif part.account not in run.accounts:
            this.unknown.add(part.account)
        elif not self._is_refused(tx, run, part):
            bucket = self._bucket(tx, run, part)
            if not bucket.take(tx.now):
                return bucket.wait(tx.now)
            claim = {"claim_token": run.job.token, "claimed_at": tx.now, "looks": 0}
            change(tx, part, state=PartState.CLAIMED, **claim)
            this.claimed.append(part)
            return None
        this.wait(NOW)
        return None

    def _is_refused(self, tx: Transaction, run: SenderRun, part: Part) -> bool:
        if run.accounts[part.account] is None:
            self._outcomes.fail(tx, part, Unanswered.REFUSED)
            return True
        was_tried = part.claimed_at is not None  # only such a one can have been passed by
        reason = refusal(
            part,
            find_permission(tx, part.sender, part.recipient),
            overtaken=was_tried and is_overtaken(tx, part),
            now=tx.now,
        )
        if reason is Unanswered.UNDER_REVIEW:
            self._outcomes.give_up(tx, part, "a later part was sent")
        elif reason is not None:
            self._outcomes.fail(tx, part, reason, part.error_code)
        return reason is not None

    def _held_back(self, tx: Transaction, job: Job) -> timedelta:
        until = held_back_until(tx, job.key, RATE_CODES)
        return NOW if until is None else max(NOW, until - tx.now)

    def _bucket(self, tx: Transaction, run: SenderRun, part: Part) -> TokenBucket:
        if run.bucket is None:
            rate = self._rates[Channel(part.channel)]
            spent = claims_since(tx, part.sender, tx.now - TokenBucket.memory(rate))
            run.bucket = TokenBucket.replayed(rate, spent, now=tx.now)
        return run.bucket
