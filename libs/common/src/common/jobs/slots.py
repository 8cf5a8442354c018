"""How many jobs of which kinds a process runs at the same time: functions of what runs now."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence


class Slots:
    """The last slot of a kind is never another's, where there is one for each."""

    def __init__(self, count: int, kinds: Collection[str]) -> None:
        """Run up to `count` jobs of these kinds."""
        self._count = count
        self._kinds = kinds

    def free(self, running: Counter[str], kinds: Collection[str]) -> int:
        """Tell how many more of these kinds may run, in all."""
        others = [kind for kind in self._kinds if kind not in kinds and not running[kind]]
        kept = 0 if self._count < len(self._kinds) else len(others)
        return self._count - running.total() - kept

    def shares(self, running: Counter[str], kinds: Sequence[str]) -> Mapping[str, int]:
        """Divide what is free among these kinds in their order; one that gets nothing is left out.

        Where each has a slot of its own, those of which nothing runs get theirs first.
        """
        free, shares = self.free(running, kinds), dict[str, int]()
        owned = self._count >= len(self._kinds)
        in_turn = sorted(kinds, key=lambda kind: owned and running[kind] > 0)
        for taken, kind in enumerate(in_turn):
            share = -(-free // (len(in_turn) - taken))  # rounded up, so that the first get the rest
            if share > 0:
                shares[kind] = share
                free -= share
        return shares
