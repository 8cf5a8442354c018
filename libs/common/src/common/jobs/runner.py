"""The component that takes a service's jobs when they are due, and holds them while they run."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from common.errors import DependencyDown, StartError
from common.jobs.agenda import Agenda, between_polls
from common.jobs.attempt import Attempts, JobHandler
from common.jobs.backlog import BacklogGauges
from common.jobs.job import Job, JobName, Outcome
from common.jobs.outages import Outages
from common.jobs.policy import RetryPolicy
from common.jobs.slots import Slots
from common.jobs.store import GivenUp, Jobs
from common.observability.metrics import Metrics
from common.settings import JobSettings

_DATABASE_USE = ("jobs",)  # who waits while the database is away


class JobRunner:
    """Runs the jobs of some kinds, which other processes may run too."""

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, JobHandler],
        settings: JobSettings,
        metrics: Metrics,
        *,
        given_up: Mapping[str, GivenUp] | None = None,
        endless: Collection[str] = (),
    ) -> None:
        """Know what to do, and what it means when a kind fails; nothing starts before `run`.

        The settings choose the kinds; each must have a handler. A kind of `endless` is tried until
        it succeeds, and only a `PermanentError` fails it.
        """
        chosen = jobs.kinds if settings.kinds is None else jobs.kinds & settings.kinds
        if unknown := handlers.keys() - jobs.kinds:
            message = f"handlers of kinds that {jobs.service} does not have: {sorted(unknown)}"
            raise ValueError(message)
        if missing := chosen - handlers.keys():
            message = f"{jobs.service} has no handlers of {sorted(missing)}, which it should run"
            raise ValueError(message)
        self._jobs = jobs
        self._handlers = {kind: do for kind, do in handlers.items() if kind in chosen}
        self._slots = Slots(settings.concurrency, chosen)
        self._poll_seconds = settings.poll_seconds
        self._outages = Outages(RetryPolicy.of(settings))
        policies = {kind: _policy(settings, kind, endless) for kind in chosen}
        self._backlog = BacklogGauges(jobs, metrics, self._outages)
        self._attempts = Attempts(jobs, policies, self._outages, metrics, given_up=given_up or {})
        self._running: dict[Job, asyncio.Task[None]] = {}
        self._agendas: dict[str, Agenda] = {}
        self._changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Take jobs until `stop`, then wait for those that run.

        Cancelled meanwhile, it cancels them and gives them back, so that another process takes them
        at once.
        """
        now = time.monotonic()
        self._agendas = {kind: Agenda(now) for kind in self._handlers}
        with self._jobs.telling(self._expect):
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(self._hold_leases()),
                    group.create_task(self._wake_at(stop)),
                    group.create_task(self._backlog.run()),
                ]
                await self._take_until(stop, group)
                while self._running:
                    await asyncio.wait(self._running.values())
                for helper in helpers:
                    helper.cancel()

    async def _take_until(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        while not stop.is_set():
            self._changed.clear()
            if kinds := self._kinds_to_look_for():
                await self._take(kinds, group)
            else:
                await self._rest()

    def _kinds_to_look_for(self) -> Sequence[str]:
        """Tell which have a reason to look, and room; the one that waits longest for a poll first.

        A poll is for all of them: to ask for four costs about as much as to ask for one.
        """
        now, agendas = time.monotonic(), self._agendas_with_room()
        in_turn = sorted(agendas, key=lambda kind: agendas[kind].next_poll)
        if in_turn and agendas[in_turn[0]].next_poll <= now:
            return in_turn
        return [kind for kind in in_turn if agendas[kind].next_look <= now]

    async def _take(self, kinds: Sequence[str], group: asyncio.TaskGroup) -> None:
        began, limits = time.monotonic(), self._slots.shares(self._running_by_kind(), kinds)
        try:
            jobs = await self._jobs.claim(limits)
        except DependencyDown as error:
            rest = self._outages.failed(_DATABASE_USE, error)
            for agenda in self._agendas.values():
                agenda.rest_until(began + rest.total_seconds())
            return
        self._outages.worked(_DATABASE_USE)
        pause = between_polls(self._poll_seconds)  # the same for all: they are polled together
        for kind, limit in limits.items():
            found = [job for job in jobs if job.kind == kind]
            self._agendas[kind].looked(began, found, wanted=limit, pause=pause)
        for job in jobs:
            task = group.create_task(self._attempts.run(job, self._handlers[job.kind]))
            self._running[job] = task
            task.add_done_callback(partial(self._ended, job))

    def _agendas_with_room(self) -> Mapping[str, Agenda]:
        running = self._running_by_kind()
        return {
            kind: agenda
            for kind, agenda in self._agendas.items()
            if self._slots.free(running, (kind,)) > 0
        }

    def _running_by_kind(self) -> Counter[str]:
        return Counter(job.kind for job in self._running)

    async def _rest(self) -> None:
        """Wait for the next reason to look, or for a change."""
        looks = [agenda.next_look for agenda in self._agendas_with_room().values()]
        seconds = min(looks) - time.monotonic() if looks else None
        with suppress(TimeoutError):  # then it is time to look
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._changed.set()

    def _expect(self, job: JobName, due_in: float) -> None:
        if agenda := self._agendas.get(job.kind):
            now = time.monotonic()
            agenda.expect(job, now + due_in, now)
            self._changed.set()

    def _ended(self, job: Job, _task: asyncio.Task[None]) -> None:
        del self._running[job]
        self._agendas[job.kind].ended(job, time.monotonic())
        self._changed.set()

    async def _hold_leases(self) -> None:
        lease = self._jobs.lease.total_seconds()
        pause = lease / 3
        while True:
            await asyncio.sleep(pause)
            pause = lease / 3 if await self._renew() else lease / 10

    async def _renew(self) -> bool:
        held = [job for job in self._running if job.outcome is None]
        try:
            if held:
                await self._jobs.renew(held)
        except DependencyDown as error:
            self._outages.failed(_DATABASE_USE, error)
            return False
        # One that was not renewed while its lease lasts has just ended, or is locked for a moment.
        for job in held:
            if job.held_for() <= timedelta(0) and job.outcome is None:
                self._lose(job)
        return True

    def _lose(self, job: Job) -> None:
        if task := self._running.get(job):
            job.outcome = Outcome.LOST
            task.cancel()


def _policy(settings: JobSettings, kind: str, endless: Collection[str]) -> RetryPolicy:
    policy = RetryPolicy.of(settings, kind)
    if kind not in endless:
        return policy
    own = settings.retry_kinds.get(kind)
    if own and own.attempts:
        raise StartError(
            f"Mend RECADO_JOBS_RETRY_KINDS: jobs of kind {kind} are tried until they succeed, so "
            "they take no attempts."
        )
    return policy.without_end()
