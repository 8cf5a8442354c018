"""A long text as several messages, cut where a reader would pause.

Twilio refuses more than 1,600 characters (error 21617). What it counts is taken to be UTF-16 units,
the stricter reading: most emoji are two.
"""

import re
import unicodedata
from itertools import takewhile
from typing import Final

_PARAGRAPH, _LINE, _SENTENCE, _WORD = (
    re.compile(border)
    for border in (r"(?=\n[^\S\n]*\n)", r"(?=\n)", r"(?<=[.!?…])(?=\s)", r"(?=\s)")
)
_WORTH_IT: Final = 2 / 3  # a nicer border is not worth a part shorter than this share of the limit
_JOINER = "\u200d"


def split(text: str, limit: int) -> tuple[str, ...]:
    """Return parts of at most `limit` UTF-16 units; a text that fits is returned as it is.

    Only white space at the cuts is lost. A character and what combines with it stay together,
    unless they alone fill half a part.
    """
    parts: list[str] = []
    start = 0
    while (end := _reach(text, start, limit)) < len(text):
        cut = _border(text, start, end)
        parts.append(text[start:cut].rstrip())
        start = cut + len(text[cut:]) - len(text[cut:].lstrip())
    parts.append(text[start:])
    return tuple(part for part in parts if part) or ("",)


def _reach(text: str, start: int, limit: int) -> int:
    units = 0
    for at in range(start, len(text)):
        units += 2 if text[at] > "\uffff" else 1
        if units > limit:
            return at
    return len(text)


def _border(text: str, start: int, end: int) -> int:
    nice = start + max(1, int((end - start) * _WORTH_IT))
    for border, floor in (
        (_PARAGRAPH, nice),
        (_LINE, nice),
        (_SENTENCE, nice),
        (_WORD, start + 1),
    ):
        cuts = [match.start() for match in border.finditer(text, floor, end + 2)]
        if cut := max((cut for cut in cuts if cut <= end), default=0):
            return cut
    whole = (cut for cut in range(end, (start + end) // 2, -1) if not _joined(text, start, cut))
    return next(whole, end)


def _joined(text: str, start: int, cut: int) -> bool:
    """Tell whether the characters on both sides of the cut are seen as one."""
    left, right = text[cut - 1], text[cut]
    return (
        unicodedata.category(right).startswith("M")
        or _JOINER in (left, right)
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= right <= "\U000e007f"  # tags, as in the flag of Scotland
        or _is_inside_flag(text, start, cut)
    )


def _is_inside_flag(text: str, start: int, cut: int) -> bool:
    """Count the letters before the cut: a flag is two letters of an alphabet of its own."""
    before = reversed(text[start:cut])
    letters = sum(1 for _ in takewhile(_is_flag_letter, before))
    return letters % 2 == 1 and _is_flag_letter(text[cut])


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
