"""Greetings, thanks and the like, which no document answers. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from processor.words import words


class SmallTalk(StrEnum):
    """What a message without a question says."""

    THANKS = "thanks"
    FAREWELL = "farewell"
    GREETING = "greeting"
    ACKNOWLEDGEMENT = "acknowledgement"
    """Understood, a thumb up: nothing more is expected."""


_WORDS = {
    SmallTalk.THANKS: "obrigado obrigada obg brigado brigada valeu agradeco thanks thank thx ty",
    SmallTalk.FAREWELL: "tchau bye goodbye adeus abraco abracos abs",
    SmallTalk.GREETING: (
        "oi oie ola opa eae alo salve hi hello hey bom boa good morning afternoon evening"
    ),
    SmallTalk.ACKNOWLEDGEMENT: (
        "ok okay blz beleza certo combinado perfeito entendi ta legal great perfect cool fine"
    ),
}
_BESIDE = frozenset(
    """
    dia tarde noite night tudo bem como vai voce voces vcs esta estao pessoal gente moco moca e a
    muito muita mesmo pela ajuda por ate logo mais amanha que otimo
    how are you doing there all everyone very so much for your help the see later
    """.split()  # noqa: SIM905 - a list of words is read best as a text
)
_SAID_BY = {word: kind for kind, listed in _WORDS.items() for word in listed.split()}


def small_talk_in(text: str) -> SmallTalk | None:
    """Tell what kind of small talk the whole of `text` is; None where it may say anything else.

    A text without a word (a thumb, a heart) is an acknowledgement.
    """
    said = words(text)
    if not said:
        return SmallTalk.ACKNOWLEDGEMENT
    if any(word not in _SAID_BY and word not in _BESIDE for word in said):
        return None
    return foremost(_SAID_BY[word] for word in said if word in _SAID_BY)


def foremost(kinds: Iterable[SmallTalk]) -> SmallTalk:
    """Return the kind to react to: the first in the order of `SmallTalk`; of none, a greeting."""
    return min(kinds, key=list(SmallTalk).index, default=SmallTalk.GREETING)
