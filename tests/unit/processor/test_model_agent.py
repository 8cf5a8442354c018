"""The agent, over pydantic-ai's models for tests."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeVar

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from common.database import Transaction
from common.ids import Ulid
from common.testing import eventually
from processor.assistant import Said
from processor.assistant.choice import ModelChoice
from processor.assistant.falling_back import ModelFailedError, ModelFailure
from processor.assistant.model_assistant import Bounds, ModelAssistant
from processor.assistant.model_clients import ModelClients
from processor.assistant.prompt import LONGEST_ANSWER, instructions_for
from tests.unit.processor.turn_context import turn_context

BOUNDS = Bounds(seconds=5, requests=3, tool_calls=2, tokens=5_000, response_tokens=300)
CHOICE = ModelChoice("openai:any")

T = TypeVar("T")


class Only(ModelClients):
    """Has one model, whatever is chosen."""

    def __init__(self, model: Model) -> None:
        super().__init__(AsyncExitStack(), {})
        self._model = model

    async def model(self, choice: ModelChoice) -> Model:
        del choice
        return self._model


class Empty:
    """Documents in which nothing is ever found; it remembers whose were searched."""

    def __init__(self) -> None:
        self.searched: list[Ulid | None] = []

    async def transaction(
        self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None
    ) -> T:
        raise NotImplementedError

    async def read(self, work: Callable[[Transaction], T], *, tenant: Ulid | None = None) -> T:
        del work
        self.searched.append(tenant)
        return []  # pyright: ignore[reportReturnType] - no passages


def agent(model: Model, documents: Empty | None = None, bounds: Bounds = BOUNDS) -> ModelAssistant:
    return ModelAssistant(documents or Empty(), Only(model), bounds)


async def test_the_model_is_given_one_tool_and_its_words_alone() -> None:
    model, documents, turn = TestModel(custom_output_text="Sim."), Empty(), turn_context()

    answer = await agent(model, documents).answer(turn, CHOICE)

    given = model.last_model_request_parameters
    assert given is not None
    assert [tool.name for tool in given.function_tools] == ["search_documents"]
    assert list(given.function_tools[0].parameters_json_schema["properties"]) == ["words"]
    assert documents.searched == [turn.tenant]
    assert (answer.text, answer.by, answer.documents) == ("Sim.", "model", ())


async def test_the_model_is_shown_the_conversation_in_order() -> None:
    seen: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(info.instructions or "")
        seen.extend(str(getattr(part, "content", "")) for said in messages for part in said.parts)
        return ModelResponse(parts=[TextPart("Sim.")])

    turn = turn_context("e na", "segunda?", history=(Said("contact", "oi"), Said("us", "Olá!")))
    await agent(FunctionModel(answer)).answer(turn, CHOICE)

    assert seen == [instructions_for(turn).strip(), "oi", "Olá!", "e na\nsegunda?"]


async def test_a_long_answer_is_cut() -> None:
    model = TestModel(call_tools=[], custom_output_text="palavra " * 1000)

    answer = await agent(model).answer(turn_context(), CHOICE)

    assert LONGEST_ANSWER / 2 < len(answer.text or "") <= LONGEST_ANSWER


async def test_a_model_that_only_searches_is_stopped() -> None:
    documents = Empty()

    def search(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("search_documents", {"words": "pão"})])

    with pytest.raises(ModelFailedError) as failed:
        await agent(FunctionModel(search), documents).answer(turn_context(), CHOICE)

    assert failed.value.reason is ModelFailure.LIMIT
    assert len(documents.searched) == BOUNDS.tool_calls


async def test_many_searches_at_once_are_too_many() -> None:
    documents = Empty()

    def search(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("search_documents", {"words": "pão"})] * 50)

    with pytest.raises(ModelFailedError) as failed:
        await agent(FunctionModel(search), documents).answer(turn_context(), CHOICE)

    assert failed.value.reason is ModelFailure.LIMIT
    assert documents.searched == []


async def test_whatever_a_providers_client_raises_is_a_failure_of_the_model() -> None:
    def stumble(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        raise KeyError("candidates of +5511999990001")

    with pytest.raises(ModelFailedError) as failed:
        await agent(FunctionModel(stumble)).answer(turn_context(), CHOICE)

    assert (failed.value.reason, failed.value.cause) == (ModelFailure.UNUSABLE, "KeyError")


async def test_a_turn_that_is_cancelled_gets_no_answer() -> None:
    begun = asyncio.Event()

    async def wait(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    answering = asyncio.create_task(agent(FunctionModel(wait)).answer(turn_context(), CHOICE))
    await begun.wait()
    answering.cancel()

    with pytest.raises(asyncio.CancelledError):
        await answering


async def test_a_model_that_takes_too_long_is_left() -> None:
    left = asyncio.Event()

    async def wait(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    with pytest.raises(ModelFailedError) as failed:
        await agent(FunctionModel(wait), bounds=replace(BOUNDS, seconds=0.5)).answer(
            turn_context(), CHOICE
        )

    assert failed.value.reason is ModelFailure.TIMED_OUT
    await eventually(left.is_set)
