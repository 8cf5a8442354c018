"""When a process looks for jobs of one kind: polls with jitter, and due times that it knows of."""

import heapq
import random

_HORIZON = 60.0  # seconds: what falls due later is left to the polls
_SECOND_LOOK = (0.1, 0.2)  # seconds
_PROMPT = 0.1  # seconds: who was taken later than that after its time had to wait for its turn


class Agenda:
    """All times are seconds of one clock that only goes forward."""

    def __init__(self, poll_seconds: float, now: float) -> None:
        """Look at once, and then every `poll_seconds` or so."""
        self._between_polls = (poll_seconds * 0.5, poll_seconds * 1.5)
        self._poll_at = now
        self._due: list[float] = []
        self._not_before = now
        self._more_may_wait = False

    @property
    def next_look(self) -> float:
        """When there is a reason to look, and nothing against it."""
        reason = min(self._poll_at, self._due[0]) if self._due else self._poll_at
        return max(reason, self._not_before)

    def expect(self, due_at: float, now: float) -> None:
        """Look when a job falls due."""
        if due_at - now < _HORIZON:
            heapq.heappush(self._due, due_at)

    def ended(self, late: float) -> None:
        """Look at once where the end of a job that began `late` may have made room for another.

        Where it was taken as soon as it was due, and nothing was left then, nothing waits for room.
        """
        if self._more_may_wait or late > _PROMPT:
            self._poll_at = self._not_before

    def rest_until(self, time: float) -> None:
        """Look for nothing before `time`."""
        self._not_before = time

    def looked(self, began: float, *, found: int, wanted: int) -> None:
        """Plan the next poll after a claim that began at `began` and found some of those `wanted`.

        One that missed all that it was made for may have met another process that was claiming; one
        that missed some of it, tenants with as many as they may have.
        """
        expected = 0
        while self._due and self._due[0] <= began:
            heapq.heappop(self._due)
            expected += 1
        if expected or found:  # a poll that finds nothing says nothing of what was missed
            self._more_may_wait = found < expected or found == wanted
        between = _SECOND_LOOK if expected and not found else self._between_polls
        self._poll_at = began + random.uniform(*between)  # noqa: S311 - jitter guards nothing
