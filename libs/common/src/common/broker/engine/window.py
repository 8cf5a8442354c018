"""How much is read ahead, in records and in bytes."""

from common.broker.transport import LARGEST_RECORD


class Window:
    """Watermarks: reading stops when either is reached and goes on at half of both; pure."""

    def __init__(self, records: int, size: int) -> None:
        """Hold so many records at most, and about so many bytes."""
        self._records = records
        self._size = size
        self._full = False
        self._typical = float(LARGEST_RECORD)

    def room(self, records: int, size: int) -> int:
        """Return how many more may be read while so many of this size are held.

        So few that they fit by their bytes too, if they are like those that are held.
        """
        if self._full:
            self._full = records > self._records / 2 or size > self._size / 2
        else:
            self._full = records >= self._records or size >= self._size
        if self._full:
            return 0
        if records:
            self._typical = max(1.0, size / records)
        fitting = int((self._size - size) / self._typical)
        return min(self._records - records, max(1, fitting))
