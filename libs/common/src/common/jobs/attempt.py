"""One claim of one job: its handler runs, and whatever comes of it is settled, counted and told."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import structlog

from common.errors import DependencyDown, PermanentError
from common.jobs.job import Job, LeaseLostError, Outcome
from common.jobs.outages import Outages, Waiter
from common.jobs.policy import RetryPolicy, reason_of, stack_of
from common.jobs.store import GivenUp, Jobs
from common.observability import correlation
from common.observability.metrics import Metrics, begin_at_zero
from common.observability.tracing import tracer

log = structlog.get_logger()

JobHandler = Callable[[Job], Awaitable[None]]
"""Ends the job in its own last transaction, by `Jobs.done` or `Jobs.again`, or raises."""

Settling = Callable[[], Awaitable[None]]

_LEVELS = {Outcome.RETRIED: "warning", Outcome.FAILED: "error", Outcome.AWAY: "debug"}


class Ending(NamedTuple):
    """How a claim ended, and why if it did not end well."""

    outcome: Outcome
    reason: str | None = None
    stack: str | None = None
    """Where it was raised, without the values that an exception's own text may quote."""


class Attempts:
    """Runs claimed jobs by the rules of `common.errors`."""

    def __init__(
        self,
        jobs: Jobs,
        policies: Mapping[str, RetryPolicy],
        outages: Outages,
        metrics: Metrics,
        *,
        given_up: Mapping[str, GivenUp],
    ) -> None:
        """Settle through `jobs` what a handler leaves open; policies and `given_up` are by kind."""
        self._given_up = given_up
        self._jobs = jobs
        self._policies = policies
        self._outages = outages
        self._metrics = metrics
        begin_at_zero(metrics.jobs_run, [jobs.service], jobs.kinds, Outcome)
        begin_at_zero(metrics.leases_lost, [jobs.service], jobs.kinds)

    async def run(self, job: Job, handler: JobHandler) -> None:
        """Run one claim to its end. Cancelled, it gives the job back."""
        labels = (self._jobs.service, job.kind)
        self._metrics.job_late_seconds.labels(*labels).observe(job.late)
        began = time.monotonic()
        ending = Ending(Outcome.RETURNED)
        running = self._metrics.jobs_running.labels(*labels)
        with (
            running.track_inprogress(),
            tracer().start_as_current_span(f"job {job.kind}"),
            correlation.bind(correlation=job.correlation, tenant=job.tenant, job=job.kind),
        ):
            try:
                ending = await self._attempt(job, handler)
            finally:
                self._tell(job, ending, time.monotonic() - began)

    async def _attempt(self, job: Job, handler: JobHandler) -> Ending:
        if self._policies[job.kind].is_overspent(job.attempts):
            return await self._fail(job, "every attempt ended with its process or its lease")
        try:
            await handler(job)
        except asyncio.CancelledError:
            if job.outcome is not None:  # it has ended, or lost its lease
                return Ending(job.outcome)
            await self._give_back(job)
            raise
        except Exception as error:  # noqa: BLE001 - each has its outcome
            return await self._settle(job, error)
        if job.outcome is None:
            return await self._fail(job, "the handler returned without ending its job")
        self._outages.worked(_waiter(job))
        return Ending(job.outcome)

    async def _settle(self, job: Job, error: Exception) -> Ending:
        stack, policy = stack_of(error), self._policies[job.kind]
        if job.outcome is not None:  # what it wrote is committed, so it cannot be tried again
            log.error("job handler raised at its end", reason=reason_of(error), stack=stack)
            return Ending(job.outcome)
        if isinstance(error, LeaseLostError):
            return Ending(Outcome.LOST)
        if isinstance(error, DependencyDown):
            rest = self._outages.failed(_waiter(job), error)
            return await self._back_off(job, rest, Ending(Outcome.AWAY, reason_of(error)))
        if isinstance(error, PermanentError) or policy.is_spent(job.attempts):
            return await self._fail(job, reason_of(error), stack)
        rest = policy.rest(job.attempts, random.random())  # noqa: S311 - jitter
        return await self._back_off(job, rest, Ending(Outcome.RETRIED, reason_of(error), stack))

    async def _fail(self, job: Job, reason: str, stack: str | None = None) -> Ending:
        given_up = self._given_up.get(job.kind)
        ending = Ending(Outcome.FAILED, reason, stack)
        return await self._insist(
            job,
            lambda: self._jobs.fail(job, reason, given_up),
            ending,
            otherwise=lambda: self._jobs.fail(job, reason),
        )

    async def _back_off(self, job: Job, rest: timedelta, ending: Ending) -> Ending:
        counted = ending.outcome is Outcome.RETRIED
        return await self._insist(
            job, lambda: self._jobs.back_off(job, delay=rest, counted=counted), ending
        )

    async def _insist(
        self, job: Job, write: Settling, ending: Ending, *, otherwise: Settling | None = None
    ) -> Ending:
        """Settle for as long as the job is ours; past that it is due again by itself.

        What cannot be written is written `otherwise`, or left to the next claim: one row must not
        stop the jobs of all tenants.
        """
        while True:
            try:
                await write()
            except LeaseLostError:
                return Ending(Outcome.LOST)
            except DependencyDown as error:
                rest = self._outages.failed(("jobs",), error)
                if job.held_for() < rest:
                    return Ending(Outcome.LOST)
                await asyncio.sleep(rest.total_seconds())
            except Exception as error:  # noqa: BLE001 - see above
                _tell_unsettled(error)
                if otherwise is None:
                    return Ending(Outcome.LOST)
                write, otherwise = otherwise, None
            else:
                return ending

    async def _give_back(self, job: Job) -> None:
        # where it does not succeed, another process takes the job when its lease runs out
        with suppress(LeaseLostError, DependencyDown):
            await self._jobs.back_off(job, delay=timedelta(0), counted=False)

    def _tell(self, job: Job, ending: Ending, seconds: float) -> None:
        labels = (self._jobs.service, job.kind)
        self._metrics.jobs_run.labels(*labels, ending.outcome).inc()
        self._metrics.job_seconds.labels(*labels).observe(seconds)
        if ending.outcome is Outcome.LOST:
            self._metrics.leases_lost.labels(*labels).inc()
        why = {"reason": ending.reason, "stack": ending.stack}
        getattr(log, _LEVELS.get(ending.outcome, "info"))(
            "job ended",
            outcome=ending.outcome,
            key=job.key,
            attempts=job.attempts,
            seconds=round(seconds, 3),
            **{name: value for name, value in why.items() if value},
        )


def _waiter(job: Job) -> Waiter:
    return job.kind, str(job.tenant), job.key


def _tell_unsettled(error: Exception) -> None:
    log.error("job cannot be settled", reason=reason_of(error), stack=stack_of(error))
