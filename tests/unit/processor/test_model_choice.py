"""Which model is chosen, and where a key may go."""

import pytest
from pydantic import SecretStr

from common.errors import StartError
from common.settings import load
from processor.assistant.choice import ModelChoice, checked_name, checked_url, keys_by_place
from processor.settings import ProcessorSection, ProcessorSettings

KEY = "sk-9b1d7c3f5a2e8d60"
OTHER = "gsk-40c2e8a6b1f7d953"
SERVER = "https://models.padaria.dev/v1"


def section(**variables: str) -> ProcessorSection:
    named = {f"RECADO_PROCESSOR_{name.upper()}": value for name, value in variables.items()}
    return load(ProcessorSettings, named).processor


@pytest.mark.parametrize("name", ["gpt-5", "openai:", ":gpt-5", "openai: gpt", "OpenAI gpt"])
def test_a_model_is_named_with_its_provider(name: str) -> None:
    with pytest.raises(ValueError, match="like `openai:gpt-5-mini`"):
        checked_name(name)


def test_a_models_name_may_hold_what_servers_like() -> None:
    choice = ModelChoice(checked_name("ollama:org/llama3.1:8b"))

    assert choice.provider == "ollama"


@pytest.mark.parametrize(
    "url",
    [
        *("models", "ftp://models", "https://", "https://me:secret@models/v1"),
        *("https://models/v1?key=1", "https://models/v1#key"),
    ],
)
def test_an_address_is_plain_and_holds_no_password(url: str) -> None:
    with pytest.raises(ValueError, match="Write "):
        checked_url(url)


def test_without_a_model_the_documents_answer() -> None:
    assert section().default_model is None
    assert section().keys_of_models == {}


def test_the_default_models_key_belongs_to_its_provider() -> None:
    settings = section(model="openai:gpt-5-mini", model_key=KEY, model_keys=f"groq={OTHER}")

    assert settings.default_model == ModelChoice("openai:gpt-5-mini")
    assert settings.keys_of_models == {"openai": SecretStr(KEY), "groq": SecretStr(OTHER)}


def test_with_an_address_the_key_belongs_to_the_address() -> None:
    settings = section(model="openai:llama", model_url=f"{SERVER}/", model_key=KEY)

    assert settings.default_model == ModelChoice("openai:llama", SERVER)
    assert settings.keys_of_models == {SERVER: SecretStr(KEY)}


def test_keys_are_read_in_pairs() -> None:
    pairs = SecretStr(f"anthropic={KEY}, {SERVER}/={OTHER}==,")

    assert keys_by_place(pairs) == {"anthropic": SecretStr(KEY), SERVER: SecretStr(f"{OTHER}==")}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"model": KEY}, "RECADO_PROCESSOR_MODEL"),
        ({"model": "openai:x", "model_url": KEY}, "RECADO_PROCESSOR_MODEL_URL"),
        ({"model_keys": KEY}, "RECADO_PROCESSOR_MODEL_KEYS"),
        ({"model_keys": f"groq={OTHER},{KEY}"}, "RECADO_PROCESSOR_MODEL_KEYS"),
        ({"model_key": KEY}, "RECADO_PROCESSOR_MODEL"),
        ({"model": "openai:x", "model_key": "short"}, "RECADO_PROCESSOR_MODEL_KEY"),
        ({"model_seconds": "0"}, "RECADO_PROCESSOR_MODEL_SECONDS"),
        ({"model_requests": "0"}, "RECADO_PROCESSOR_MODEL_REQUESTS"),
    ],
)
def test_a_wrong_setting_is_named_and_no_key_is_shown(variables: dict[str, str], name: str) -> None:
    with pytest.raises(StartError, match=name) as refusal:
        section(**variables)

    assert KEY not in str(refusal.value)
