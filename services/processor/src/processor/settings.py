"""All that the processor reads from its environment."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from common.settings import Section, Settings
from processor import job_kinds
from processor.assistant.choice import (
    ModelChoice,
    checked_name,
    checked_url,
    chosen,
    keys_by_place,
)


def _checked_keys(pairs: SecretStr) -> SecretStr:
    keys_by_place(pairs)
    return pairs


class ProcessorSection(Section):
    """How the processor holds conversations."""

    burst_window_seconds: float = Field(
        default=1.0,
        ge=0,
        description="How long a contact must be quiet before what they wrote is answered.",
    )
    burst_cap_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long a contact who keeps writing waits for an answer at most.",
    )
    reply_age_seconds: float = Field(
        default=6 * 3600.0,
        gt=0,
        description="How old a message may be and still be answered; outcome `age` past it.",
    )
    idle_seconds: float = Field(
        default=3600.0, gt=0, description="Silence after which a conversation is idle."
    )
    expiry_seconds: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="Silence after which a conversation is closed; the next message opens another.",
    )
    history_messages: int = Field(
        default=20, ge=0, description="Earlier messages that the assistant is shown."
    )
    model: Annotated[str, AfterValidator(checked_name)] | None = Field(
        default=None,
        description="`provider:model` that answers for tenants without one of their own, like "
        "`openai:gpt-5-mini`; without it, the search in their documents does.",
    )
    model_url: Annotated[str, AfterValidator(checked_url)] | None = Field(
        default=None,
        description="A server to ask instead of the provider's own. With `openai:…` it is any that "
        "has OpenAI's chat completions.",
    )
    model_key: SecretStr | None = Field(
        default=None, description="The key of the default model's provider or server."
    )
    model_keys: Annotated[SecretStr, AfterValidator(_checked_keys)] | None = Field(
        default=None,
        description="Keys of other models that tenants chose: pairs `provider=key` or "
        "`https://address=key`, by comma. A key is sent nowhere else.",
    )
    model_seconds: float = Field(
        default=20.0, gt=0, description="How long a model may take for one answer."
    )
    model_requests: int = Field(
        default=5,
        ge=1,
        description="How often a model is asked for one answer; what fails is sent twice.",
    )
    model_tool_calls: int = Field(
        default=6, ge=0, description="How many searches a model may make for one answer."
    )
    model_tokens: int = Field(
        default=20_000, ge=1, description="Tokens that one answer may cost, read and written."
    )
    model_response_tokens: int = Field(
        default=2_000,
        ge=1,
        description="Tokens that a model may write at once, its thinking included.",
    )

    @model_validator(mode="after")
    def _url_is_of_a_model(self) -> Self:
        if self.model is None and (self.model_url or self.model_key):
            raise ValueError("a model's address or key needs RECADO_PROCESSOR_MODEL beside it")
        return self

    @property
    def default_model(self) -> ModelChoice | None:
        """Return what answers for tenants that chose no model."""
        return chosen(self.model, self.model_url)

    @property
    def keys_of_models(self) -> Mapping[str, SecretStr]:
        """Return each key by the one provider or address that it may be sent to."""
        keys = {} if self.model_keys is None else dict(keys_by_place(self.model_keys))
        if self.default_model is not None and self.model_key is not None:
            keys[self.default_model.place] = self.model_key
        return keys


class ProcessorSettings(Settings):
    """What `python -m processor` reads."""

    job_kinds: ClassVar[frozenset[str]] = frozenset(job_kinds.ALL)

    processor: ProcessorSection = ProcessorSection()
