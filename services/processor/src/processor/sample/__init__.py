"""A bakery in São Paulo, so that a fresh installation has something to say."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from common.ids import Ulid, derived_id
from processor.words import Language

TENANT = derived_id("sample", "tenant")
ACCOUNT = derived_id("sample", "account")
NAME = "Padaria Estrela"
LANGUAGES: tuple[Language, ...] = ("pt", "en")


@dataclass(frozen=True, slots=True)
class SampleDocument:
    """One subject in one language."""

    id: Ulid
    language: Language
    title: str
    keywords: str
    text: str


def documents() -> Iterator[SampleDocument]:
    """Read the bakery's documents; a file of `documents/` is a subject in both languages."""
    for file in sorted(files(__name__).joinpath("documents").iterdir(), key=lambda file: file.name):
        subject = file.name.removesuffix(".toml")
        values = tomllib.loads(file.read_text("utf-8"))
        for language in LANGUAGES:
            yield SampleDocument(
                id=derived_id("sample", subject, language), language=language, **values[language]
            )
