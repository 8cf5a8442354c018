"""What several consumer processes did, in the order in which they did it: a file all append to.

A line is one `write` to a file that is open for appending: lines stand whole, in the order of what
they tell, and `kill -9` takes none back.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

Message = tuple[str, int]
"""A contact, whose messages have one key, and the message's number among them."""

BEGAN, ENDED = "began", "ended"


@dataclass(frozen=True, slots=True)
class Line:
    """One end of a handler's work."""

    what: str
    process: str
    message: Message

    @property
    def contact(self) -> str:
        return self.message[0]


class History:
    """The file, as its writers and its judge see it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def append(self, line: Line) -> None:
        contact, number = line.message
        text = f"{line.what} {line.process} {contact} {number}\n"
        target = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(target, text.encode())
        finally:
            os.close(target)

    def tells_of(self, message: Message) -> bool:
        contact, number = message
        return f" {contact} {number}\n" in self._text()

    def lines(self) -> list[Line]:
        words = (line.split() for line in self._text().splitlines())
        return [
            Line(what, process, (contact, int(number))) for what, process, contact, number in words
        ]

    def _text(self) -> str:
        return self._file.read_text() if self._file.exists() else ""


def finished(lines: Iterable[Line]) -> list[Message]:
    """What was handled, in the order in which each was handled first."""
    return list(dict.fromkeys(line.message for line in lines if line.what == ENDED))


def held(lines: Iterable[Line], process: str) -> set[Message]:
    """What a process began and has not ended."""
    own = [line for line in lines if line.process == process]
    begun = Counter(line.message for line in own if line.what == BEGAN)
    begun.subtract(line.message for line in own if line.what == ENDED)
    return set(+begun)


def processes(lines: Iterable[Line]) -> set[str]:
    return {line.process for line in lines}


def overlapped(lines: Sequence[Line], *, apart_from: str = "") -> set[str]:
    """The contacts of whom two messages were in handlers at once.

    `apart_from` names a process that was stopped or killed: what was begun again without its
    knowledge it may go on with, and nothing else.
    """
    begun = Counter(line.message for line in lines if line.what == BEGAN)
    running: Counter[str] = Counter()
    twice: set[str] = set()
    for line in lines:
        if line.process != apart_from or begun[line.message] == 1:
            running[line.contact] += 1 if line.what == BEGAN else -1
            twice |= {line.contact} if running[line.contact] > 1 else set()
    return twice


def most_at_once(lines: Iterable[Line]) -> int:
    """How many handlers ran at the same time at most, over all processes."""
    running = most = 0
    for line in lines:
        running += 1 if line.what == BEGAN else -1
        most = max(most, running)
    return most


def needless(
    lines: Iterable[Line],
    published: Sequence[Message],
    shard_of: Callable[[str], object],
    *,
    apart_from: str = "",
) -> list[Message]:
    """What was handled again although nothing before it in its shard was unfinished then.

    `apart_from` names a process that ended or stopped without a word: what it had may come again.
    """
    ends = [line for line in lines if line.what == ENDED]
    by_lost = {line.message for line in lines if line.process == apart_from}
    times = Counter(line.message for line in ends)
    first = {message: place for place, message in reversed([*enumerate(_messages(ends))])}
    unfinished_until: dict[object, int] = {}
    found: list[Message] = []
    for message in published:
        shard = shard_of(message[0])
        before = unfinished_until.get(shard, -1)
        if times[message] > 1 and message not in by_lost and before < first[message]:
            found.append(message)
        unfinished_until[shard] = max(before, first[message])
    return found


def _messages(lines: Collection[Line]) -> list[Message]:
    return [line.message for line in lines]
