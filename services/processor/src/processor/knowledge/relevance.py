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
"""Below this share the passage is about something else. Tuned on questions that no test asks."""
MENTIONED = 0.8
"""What a word counts that the text mentions but that is not its subject."""


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
    terms: AbstractSet[str]
    """The stems of its subject and its text."""


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
    """Return the passage that covers the question best, if one covers enough of it.

    `candidates` are all passages with a word of the question, of `total` that the tenant has. A
    passage in the question's `language` goes before others; of equals, the one that says least
    else.
    """
    weights = _weights(question, candidates, total)
    matches = (Match(passage, _coverage(passage, weights)) for passage in candidates)
    enough = [match for match in matches if match.coverage >= ENOUGH]
    return max(enough, key=partial(_order, language), default=None)


def _order(language: str | None, match: Match) -> tuple[bool, float, int, int, str]:
    passage = match.passage
    coverage = round(match.coverage, 6)  # sums of the same weights in another order are equals
    to_the_point = -len(passage.terms)
    spoken = passage.language == language
    return (spoken, coverage, to_the_point, -passage.ordinal, str(passage.id))


def _coverage(passage: Candidate, weights: Mapping[str, float]) -> float:
    covered = sum(
        weight * (1.0 if word in passage.subject else MENTIONED)
        for word, weight in weights.items()
        if word in passage.terms
    )
    return covered / sum(weights.values())


def _weights(
    question: AbstractSet[str], candidates: Sequence[Candidate], total: int
) -> dict[str, float]:
    """Weigh each word. One that no passage has speaks for another subject, and weighs most."""
    having = {word: sum(1 for passage in candidates if word in passage.terms) for word in question}
    return {word: math.log(1 + total / max(count, 0.5)) for word, count in having.items()}
