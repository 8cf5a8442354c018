"""Which language model answers for a tenant, and whose key it is asked with. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

_NAME = re.compile(r"[a-z][a-z0-9-]*:\S+")
_PAIR = re.compile(r"(?P<place>[a-z][a-z0-9-]*|https?://[^\s=]+)=(?P<key>\S+)")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, as an operator chose it."""

    name: str
    """`provider:model`, as pydantic-ai names it: `openai:gpt-5-mini`."""
    url: str | None = None
    """Of a server that is called instead of the provider's own, and speaks the same protocol."""

    @property
    def provider(self) -> str:
        """Return who serves the model."""
        return self.name.partition(":")[0]

    @property
    def place(self) -> str:
        """Return where its key belongs: a key goes to one provider or one server, and no other."""
        return self.url or self.provider


def chosen(name: str | None, url: str | None) -> ModelChoice | None:
    """Return the choice that a tenant's row or the settings hold; without a name there is none."""
    return None if name is None else ModelChoice(name, url)


def checked_name(name: str) -> str:
    """Return `name`; raise a `ValueError` with a sentence where it names no model."""
    if not _NAME.fullmatch(name):
        raise ValueError("Write a model as `provider:model`, like `openai:gpt-5-mini`")
    return name


def checked_url(url: str) -> str:
    """Return `url` without a slash at its end; raise a `ValueError` where it is no plain address.

    It is stored and logged, so it may hold no password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Write an address like https://models.example.org/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("Write the address alone, without a password or a question mark")
    return url.rstrip("/")


def keys_by_place(pairs: SecretStr) -> Mapping[str, SecretStr]:
    """Read `place=key,place=key`; raise a `ValueError` that quotes nothing where it is not so."""
    written = [pair.strip() for pair in pairs.get_secret_value().split(",")]
    found = [_PAIR.fullmatch(pair) for pair in written if pair]
    if not all(found):
        raise ValueError("Write `provider=key` or `https://address=key`, separated by commas")
    return {pair["place"].rstrip("/"): SecretStr(pair["key"]) for pair in found if pair is not None}
