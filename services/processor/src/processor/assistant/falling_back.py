"""Who answers: the model that the tenant or the deployment chose, else the documents."""

from enum import StrEnum
from typing import Protocol

import structlog

from common.observability.metrics import Metrics, begin_at_zero
from processor.assistant.choice import ModelChoice
from processor.assistant.port import Answer, Assistant, TurnContext

log = structlog.get_logger()


class ModelFailure(StrEnum):
    """Why a model gave no answer. A closed list: it is a metric's label."""

    MISCONFIGURED = "misconfigured"
    """There is no such provider, or no key for it."""
    TIMED_OUT = "timed out"
    UNAVAILABLE = "unavailable"
    """An error of the provider's, or no connection to it."""
    RATE_LIMITED = "rate limited"
    """By the provider: too much at once, or too much for what is paid."""
    REFUSED = "refused"
    """The provider does not accept the key, the model's name or the content."""
    LIMIT = "limit"
    """It wanted more requests, tokens or searches than an answer may cost."""
    UNUSABLE = "unusable"
    """It is malformed or empty."""


class ModelFailedError(Exception):
    """No answer came from the model; whoever raises it has changed nothing."""

    def __init__(
        self, reason: ModelFailure, *, cause: str | None = None, status: int | None = None
    ) -> None:
        """Keep what may be logged: an exception's name, or a sentence of ours, and no content."""
        super().__init__(reason)
        self.reason = reason
        self.cause = cause
        self.status = status


class ModelAnswers(Protocol):
    """Answers with a language model."""

    async def answer(self, turn: TurnContext, choice: ModelChoice) -> Answer:
        """See `Assistant.answer`. Raises `ModelFailedError` whatever the provider did."""
        ...


class FallingBack:
    """See `Assistant`. A model that fails is replaced by the documents, for this turn alone."""

    def __init__(
        self,
        model: ModelAnswers,
        knowledge: Assistant,
        metrics: Metrics,
        *,
        default: ModelChoice | None,
    ) -> None:
        """Take both; `default` answers for tenants that chose no model."""
        self._model = model
        self._knowledge = knowledge
        self._metrics = metrics
        begin_at_zero(metrics.assistant_answers, ["model"], ["answered", *ModelFailure])
        begin_at_zero(metrics.assistant_answers, ["knowledge"], ["answered", "nothing to answer"])
        self._default = default

    async def answer(self, turn: TurnContext) -> Answer:
        """Answer, and say in one line who did."""
        choice = turn.model or self._default
        if choice is None:
            answer = await self._by_knowledge(turn)
            log.info("turn answered", assistant=answer.by)
            return answer
        try:
            answer = await self._model.answer(turn, choice)
        except ModelFailedError as failure:
            return await self._instead(turn, choice, failure)
        self._count(answer.by, "answered")
        log.info("turn answered", assistant=answer.by, model=choice.name)
        return answer

    async def _instead(
        self, turn: TurnContext, choice: ModelChoice, failure: ModelFailedError
    ) -> Answer:
        self._count("model", failure.reason)
        answer = await self._by_knowledge(turn)
        log.warning(
            "turn answered without its model",
            assistant=answer.by,
            model=choice.name,
            reason=failure.reason.value,
            error=failure.cause,
            status=failure.status,
        )
        return answer

    async def _by_knowledge(self, turn: TurnContext) -> Answer:
        answer = await self._knowledge.answer(turn)
        self._count(answer.by, "answered" if answer.text else "nothing to answer")
        return answer

    def _count(self, assistant: str, outcome: str) -> None:
        self._metrics.assistant_answers.labels(assistant, outcome).inc()
