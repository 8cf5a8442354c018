"""How far a partition is done without a gap, when its records finish in any order."""

from collections import deque


class Contiguous:
    """Offsets taken and not yet committed of one partition; pure.

    Offsets are added in growing order but may skip: transactions and compaction leave holes.
    """

    def __init__(self) -> None:
        """Start with nothing taken."""
        self._taken: deque[int] = deque()
        self._finished: set[int] = set()
        self._position: int | None = None

    def __len__(self) -> int:
        """Count what was taken and is not behind the position."""
        return len(self._taken)

    def add(self, *offsets: int) -> None:
        """Take the next records."""
        self._taken.extend(offsets)

    def finish(self, offset: int) -> None:
        """Mark a taken record as done, once."""
        if not self._taken or self._taken[0] != offset:
            self._finished.add(offset)
            return
        self._position = self._taken.popleft() + 1
        while self._taken and self._taken[0] in self._finished:
            offset = self._taken.popleft()
            self._finished.remove(offset)
            self._position = offset + 1

    @property
    def position(self) -> int | None:
        """The offset to commit: everything before it is done. None until the first is done."""
        return self._position
