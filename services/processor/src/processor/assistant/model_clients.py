"""From a choice to a model that can be asked: pydantic-ai's providers, each client made once."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from pydantic import SecretStr
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider, infer_provider_class

from common.errors import StartError
from processor.assistant.choice import ModelChoice

_NO_KEY = "none"
"""Given to servers that want no key: without one, the clients look for some in the environment."""


class ModelClients:
    """The models that were asked for so far; `clients` closes their connections."""

    def __init__(self, clients: AsyncExitStack, keys: Mapping[str, SecretStr]) -> None:
        """Take the keys by the provider or address that each is for."""
        self._clients = clients
        self._keys = keys
        self._models: dict[ModelChoice, Model] = {}
        self._making = asyncio.Lock()

    async def model(self, choice: ModelChoice) -> Model:
        """Return the model; `StartError` with a sentence where the choice makes none."""
        async with self._making:
            if choice not in self._models:
                # in a thread: a provider's package takes a second to load
                made = await asyncio.to_thread(make_model, choice, self._keys.get(choice.place))
                self._models[choice] = await self._clients.enter_async_context(made)
            return self._models[choice]


def make_model(choice: ModelChoice, key: SecretStr | None) -> Model:
    """Make the model with its client. It connects to nothing yet."""
    provider = provider_of(choice)
    arguments: dict[str, Any] = {"api_key": _key(choice, key)}
    if choice.url is not None:
        arguments["base_url"] = choice.url
    try:
        return infer_model(_name_of_protocol(choice), lambda _name: provider(**arguments))
    except (TypeError, UserError, ImportError) as error:
        raise StartError(
            f"The model {choice.name} cannot be used with a key"
            f"{' and an address' if choice.url else ''}: {error}"
        ) from error


def provider_of(choice: ModelChoice) -> type[Provider[Any]]:
    """Return the provider's class; `StartError` with a sentence where Recado has none."""
    try:
        return infer_provider_class(choice.provider)
    except ValueError as error:
        raise StartError(
            f"There is no provider {choice.provider}; a model is `provider:model`."
        ) from error
    except ImportError as error:
        raise StartError(
            f"The provider {choice.provider} needs a package that is not installed: {error}"
        ) from error


def _key(choice: ModelChoice, key: SecretStr | None) -> str:
    if key is not None:
        return key.get_secret_value()
    if choice.url is not None:
        return _NO_KEY
    raise StartError(
        f"The model {choice.name} needs a key: set RECADO_PROCESSOR_MODEL_KEY if it is the "
        f"default model's, else add `{choice.provider}=…` to RECADO_PROCESSOR_MODEL_KEYS."
    )


def _name_of_protocol(choice: ModelChoice) -> str:
    """Name the protocol too: at an address of one's own, `openai` means chat completions.

    pydantic-ai's `openai:` is the Responses API, which few compatible servers have.
    """
    if choice.url is not None and choice.provider == "openai":
        return f"openai-chat:{choice.name.removeprefix('openai:')}"
    return choice.name
