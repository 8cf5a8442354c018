"""How far a partition is done without a gap, when its records finish in any order."""

import math
from collections import deque
from collections.abc import Iterable


class Contiguous:
    """Offsets taken and not yet committed of one partition; pure.

    Offsets are added in growing order but may skip: transactions and compaction leave holes.
    """

    def __init__(self) -> None:
        """Start with nothing taken."""
        self._taken: deque[int] = deque()
        self._finished: dict[int, float] = {}
        """What is done behind something that is not, and since when; the first is the oldest."""
        self._position: int | None = None
        self.unsettled_since: float | None = None
        """When the oldest record was done that no commit covers; None without any."""

    def __len__(self) -> int:
        """Count what was taken and is not behind the position."""
        return len(self._taken)

    def add(self, offsets: Iterable[int]) -> None:
        """Take the next records."""
        self._taken.extend(offsets)

    def finish(self, offset: int, now: float) -> None:
        """Mark a taken record as done, once; `now` never steps back."""
        if self.unsettled_since is None:
            self.unsettled_since = now
        if not self._taken or self._taken[0] != offset:
            self._finished[offset] = now
            return
        self._position = self._taken.popleft() + 1
        while self._taken and self._taken[0] in self._finished:
            following = self._taken.popleft()
            del self._finished[following]
            self._position = following + 1

    @property
    def position(self) -> int | None:
        """The offset to commit: everything before it is done. None until the first is done."""
        return self._position

    def settle(self, position: int, at: float) -> None:
        """Take note that a commit of `position`, which was read at `at`, was made."""
        later = [next(iter(self._finished.values()), math.inf)]
        if self._position != position:
            later.append(at)
        self.unsettled_since = None if min(later) == math.inf else min(later)
