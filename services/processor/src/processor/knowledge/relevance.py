"""Whether a passage answers a question: a pure function of their words, whatever the database.

A question is covered by the share of its words that the passage has, each word weighed by how rare
it is among the tenant's passages (Spärck Jones, "A statistical interpretation of term specificity",
1972).
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial

from common.ids import Ulid

ENOUGH = 0.65
"""Below this share the passage is about something else: what is off topic must not be answered."""
MENTIONED = 0.8
"""What a word counts that the text has but not the subject."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that shares a word with the question."""

    id: Ulid
    document: Ulid
    ordinal: int
    language: str
    text: str
    subject: AbstractSet[str]
    """The stems of its document's title and keywords."""
    said: AbstractSet[str]
    """The stems of its text."""


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that answers the question, and how sure that is, up to 1."""

    passage: Candidate
    coverage: float


def best_match(
    question: AbstractSet[str],
    candidates: Sequence[Candidate],
    *,
    total: int,
    language: str | None,
) -> Match | None:
    """Return the first of `ranked` that covers enough of the question, if one does."""
    matches = ranked(question, candidates, total=total, language=language)
    return next((match for match in matches if match.coverage >= ENOUGH), None)


def ranked(
    question: AbstractSet[str],
    candidates: Sequence[Candidate],
    *,
    total: int,
    language: str | None,
) -> list[Match]:
    """Return the candidates in the order of how well they cover the question.

    `candidates` are all passages with a word of the question, of `total` that the tenant has. A
    passage in the question's `language` goes before others; of equals, the one whose own text says
    most of it, then the one on the narrowest subject, then the first of its document.
    """
    weights = _weights(question, candidates, total)
    matches = [Match(passage, _coverage(passage, weights)) for passage in candidates]
    return sorted(matches, key=partial(_order, language, weights), reverse=True)


def _order(
    language: str | None, weights: Mapping[str, float], match: Match
) -> tuple[bool, float, float, int, int, str]:
    passage = match.passage
    return (
        passage.language == language,
        match.coverage,
        _sum(weights, passage.said),
        -len(passage.subject),
        -passage.ordinal,
        str(passage.id),
    )


def _coverage(passage: Candidate, weights: Mapping[str, float]) -> float:
    subject = _sum(weights, passage.subject)
    mentioned = _sum(weights, passage.said - passage.subject)
    return (subject + MENTIONED * mentioned) / sum(weights.values())


def _sum(weights: Mapping[str, float], stems: AbstractSet[str]) -> float:
    return sum(weight for stem, weight in weights.items() if stem in stems)


def _weights(
    question: AbstractSet[str], candidates: Sequence[Candidate], total: int
) -> dict[str, float]:
    """Weigh each stem. One that no passage has speaks for another subject, and weighs most."""
    having = {
        stem: sum(1 for passage in candidates if stem in passage.subject or stem in passage.said)
        for stem in sorted(question)  # sums of floats depend on their order
    }
    return {stem: math.log(1 + total / max(count, 0.5)) for stem, count in having.items()}
