"""When a process looks for jobs of one kind: at polls, when one falls due, when there is room."""

import heapq
import math
import random
from collections.abc import Collection, Iterable

from common.ids import Ulid
from common.jobs.job import Job, JobName

_HORIZON = 60.0  # seconds: what falls due later is left to the polls
_SECOND_LOOK = (0.1, 0.2)  # seconds
_PROMPT = 0.1  # seconds: who was taken later than that after its time had to wait for its turn
_REMEMBERED = 100  # jobs of a tenant: that there were more is seen when one of them is taken late


def between_polls(poll_seconds: float) -> float:
    """Draw a pause of about so long: processes that start together must not poll together."""
    return random.uniform(poll_seconds * 0.5, poll_seconds * 1.5)  # noqa: S311 - jitter


class Agenda:
    """All times are seconds of one clock that only goes forward.

    It knows of the jobs that this process scheduled and of those that it runs. Room that the end of
    another process' job leaves is only seen by polls.
    """

    def __init__(self, now: float) -> None:
        """Look at once."""
        self._poll_at = now
        self._look_at = math.inf
        self._not_before = now
        self._due: list[tuple[float, JobName]] = []
        self._running: set[Job] = set()
        self._missed: dict[Ulid, set[JobName]] = {}  # due, of tenants that have as many as they may
        self._ended: dict[Ulid, float] = {}  # tenants of jobs that ended since the last look, when
        self._in_doubt = False

    @property
    def next_poll(self) -> float:
        """When to look even for what nobody here knows of."""
        return max(self._poll_at, self._not_before)

    @property
    def next_look(self) -> float:
        """When there is a reason to look, and nothing against it."""
        first_due = self._due[0][0] if self._due else math.inf
        return max(min(self._poll_at, self._look_at, first_due), self._not_before)

    def expect(self, job: JobName, due_at: float, now: float) -> None:
        """Look when a job falls due."""
        if due_at - now < _HORIZON:
            heapq.heappush(self._due, (due_at, job))

    def ended(self, job: Job, now: float) -> None:
        """Look at once where the end of a job may have made room for another.

        Where it was taken as soon as it was due, and no other of its tenant was missed, nothing
        waits for room.
        """
        self._running.discard(job)
        self._ended[job.tenant] = now
        if job.tenant in self._missed or job.late > _PROMPT:
            self._look_at = now

    def rest_until(self, time: float) -> None:
        """Look for nothing before `time`."""
        self._not_before = time

    def looked(self, began: float, found: Collection[Job], *, wanted: int, pause: float) -> None:
        """Plan the next looks after a claim that began at `began`; a poll comes after `pause`.

        A claim that found as many as it wanted may have left more. One that missed all that it was
        made for may have met another process that was claiming; one that missed some of it, tenants
        with as many as they may have.
        """
        expected = self._fallen_due(began)
        had_room = {each for each in self._missed if self._ended.get(each, math.inf) <= began}
        self._in_doubt = not found and bool(expected or (had_room and not self._in_doubt))
        later = {tenant: at for tenant, at in self._ended.items() if at > began}
        if len(found) < wanted and not self._in_doubt:
            for tenant in had_room - {job.tenant for job in found}:
                del self._missed[tenant]  # another process took what was not found
            self._ended = later
        self._miss(expected, found, later)
        self._poll_at = began + pause
        self._look_at = min(
            self._look_at if self._look_at > began else math.inf,
            began if len(found) == wanted else math.inf,
            began + random.uniform(*_SECOND_LOOK) if self._in_doubt else math.inf,  # noqa: S311 - jitter
            *(at for tenant, at in later.items() if tenant in self._missed),
        )

    def _fallen_due(self, time: float) -> set[JobName]:
        jobs: set[JobName] = set()
        while self._due and self._due[0][0] <= time:
            jobs.add(heapq.heappop(self._due)[1])
        return jobs

    def _miss(
        self, expected: Iterable[JobName], found: Collection[Job], ended: Collection[Ulid]
    ) -> None:
        """Remember for whom the end of a job that runs here makes room, or made it meanwhile."""
        for name in expected:
            names = self._missed.setdefault(name.tenant, set())
            if len(names) < _REMEMBERED:
                names.add(name)
        for job in found:
            self._missed.get(job.tenant, set()).discard(job.name)
        self._running.update(found)
        here = {job.tenant for job in self._running}.union(ended)
        self._missed = {
            tenant: names for tenant, names in self._missed.items() if names and tenant in here
        }
