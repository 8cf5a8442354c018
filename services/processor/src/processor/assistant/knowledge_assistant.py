"""Answers from the tenant's documents by search, or says that it does not know. Needs no model."""

import re
from collections.abc import Iterable, Sequence
from functools import partial

from common.database import Database, Transaction
from processor.assistant.phrases import in_another_language, not_known, reply_to
from processor.assistant.port import Answer, TurnContext
from processor.assistant.small_talk import foremost, small_talk_in
from processor.knowledge.relevance import Candidate, best_match
from processor.knowledge.search import candidates, count_passages
from processor.words import Language, language_of, stems_asked

_QUESTION = re.compile(r"[^.!?\n]+\?")
_PASSAGES_AT_MOST = 3


class KnowledgeAssistant:
    """See `Assistant`. The same texts over the same documents get the same answer anywhere."""

    def __init__(self, database: Database) -> None:
        """Take where the documents are."""
        self._database = database

    async def answer(self, turn: TurnContext) -> Answer:
        """Quote the passages that cover what is asked; without one, say that it does not know."""
        language = _language(turn)
        asked = [text for text in turn.unanswered if small_talk_in(text) is None]
        if not asked:
            said = (small_talk_in(text) for text in turn.unanswered)
            talk = foremost(kind for kind in said if kind is not None)
            return Answer(reply_to(talk, language, turn.business))
        passages = await self._database.read(
            partial(_passages, asked=asked, language=language), tenant=turn.tenant
        )
        if not passages:
            return Answer(not_known(language, turn.business))
        foreign = language_of(" ".join(asked)) not in (None, passages[0].language)
        opening = [in_another_language(language)] if foreign else []
        return Answer(
            "\n\n".join([*opening, *(passage.text for passage in passages)]),
            documents=tuple(dict.fromkeys(passage.document for passage in passages)),
        )


def _language(turn: TurnContext) -> Language:
    """Return the language of what is asked, else of what the contact said, else the tenant's."""
    earlier = (said.text for said in reversed(turn.history) if said.by == "contact")
    for text in (" ".join(turn.unanswered), *earlier):
        if (language := language_of(text)) is not None:
            return language
    return "en" if turn.language.startswith("en") else "pt"


def _passages(tx: Transaction, *, asked: Sequence[str], language: Language) -> list[Candidate]:
    """Find a passage for each question; what was written in pieces may ask only as a whole."""
    total = count_passages(tx)
    search = partial(_passage, tx, total=total, language=language)
    found = _distinct(passage for text in asked for passage in _in_one(text, search))
    if not found:
        found = _distinct([search(" ".join(asked))])
    return found[:_PASSAGES_AT_MOST]


def _in_one(text: str, search: "partial[Candidate | None]") -> Iterable[Candidate | None]:
    questions = [
        question for question in _QUESTION.findall(text) if small_talk_in(question) is None
    ]
    found = [search(question) for question in questions]
    return found if any(found) else [search(text)]


def _passage(tx: Transaction, question: str, *, total: int, language: Language) -> Candidate | None:
    stems = stems_asked(question)
    match = best_match(stems, candidates(tx, stems), total=total, language=language)
    return None if match is None else match.passage


def _distinct(passages: Iterable[Candidate | None]) -> list[Candidate]:
    return list({passage.id: passage for passage in passages if passage is not None}.values())
