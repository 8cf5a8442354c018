"""Who answers: the tenant's model, the deployment's, or the documents."""

import pytest
from prometheus_client import CollectorRegistry

from common.errors import DependencyDown
from common.observability.metrics import Metrics
from processor.assistant import Answer, Assistant, TurnContext
from processor.assistant.choice import ModelChoice
from processor.assistant.falling_back import FallingBack, ModelFailedError, ModelFailure
from tests.unit.processor.turn_context import turn_context

DEFAULT = ModelChoice("openai:default")
OWN = ModelChoice("anthropic:own")


class Model:
    """Names the model that was chosen, unless told to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def answer(self, turn: TurnContext, choice: ModelChoice) -> Answer:
        del turn
        if self._error is not None:
            raise self._error
        return Answer(choice.name, by="model")


class Documents:
    """Answers with `text`; the database may be away."""

    def __init__(self, text: str | None = "from the documents", *, away: bool = False) -> None:
        self._text = text
        self._away = away

    async def answer(self, turn: TurnContext) -> Answer:
        del turn
        if self._away:
            raise DependencyDown("database", "switched off")
        return Answer(self._text)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def counted(metrics: Metrics, assistant: str, outcome: str) -> float | None:
    labels = {"assistant": assistant, "outcome": outcome}
    return metrics.registry.get_sample_value("recado_assistant_answers_total", labels)


@pytest.mark.parametrize(
    ("own", "default", "text"),
    [
        (OWN, DEFAULT, "anthropic:own"),
        (OWN, None, "anthropic:own"),
        (None, DEFAULT, "openai:default"),
        (None, None, "from the documents"),
    ],
)
async def test_the_tenants_choice_comes_first(
    metrics: Metrics, own: ModelChoice | None, default: ModelChoice | None, text: str
) -> None:
    assistant: Assistant = FallingBack(Model(), Documents(), metrics, default=default)

    answer = await assistant.answer(turn_context(model=own))

    assert answer.text == text


@pytest.mark.parametrize("reason", ModelFailure)
async def test_the_documents_answer_for_whatever_reason_the_model_failed(
    metrics: Metrics, reason: ModelFailure
) -> None:
    failing = Model(ModelFailedError(reason))
    assistant = FallingBack(failing, Documents(), metrics, default=DEFAULT)

    answer = await assistant.answer(turn_context())

    assert (answer.text, answer.by) == ("from the documents", "knowledge")
    assert counted(metrics, "model", reason) == 1
    assert counted(metrics, "knowledge", "answered") == 1


async def test_a_database_that_is_away_is_no_failure_of_the_model(metrics: Metrics) -> None:
    away = Model(DependencyDown("database", "switched off"))

    with pytest.raises(DependencyDown):
        await FallingBack(away, Documents(), metrics, default=DEFAULT).answer(turn_context())

    assert counted(metrics, "knowledge", "answered") == 0


async def test_what_both_could_not_answer_is_not_answered(metrics: Metrics) -> None:
    failing = Model(ModelFailedError(ModelFailure.TIMED_OUT))
    assistant = FallingBack(failing, Documents(away=True), metrics, default=DEFAULT)

    with pytest.raises(DependencyDown):
        await assistant.answer(turn_context())


async def test_saying_nothing_is_counted_apart(metrics: Metrics) -> None:
    assistant = FallingBack(Model(), Documents(None), metrics, default=None)

    answer = await assistant.answer(turn_context("ok"))

    assert answer.text is None
    assert counted(metrics, "knowledge", "nothing to answer") == 1
