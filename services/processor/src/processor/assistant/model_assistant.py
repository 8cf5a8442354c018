"""Answers with a language model that searches the tenant's documents, through pydantic-ai."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr
from pydantic_ai import Agent, RunContext
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    UsageLimitExceeded,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import UsageLimits

from common.database import Database, Transaction
from common.errors import DependencyDown, StartError
from common.ids import Ulid
from processor.assistant.choice import ModelChoice
from processor.assistant.falling_back import ModelFailedError, ModelFailure
from processor.assistant.model_clients import ModelClients
from processor.assistant.port import Answer, Said, TurnContext
from processor.assistant.prompt import history, instructions_for, presentable, question
from processor.knowledge.relevance import Candidate, ranked
from processor.knowledge.search import candidates, count_passages
from processor.words import stems_asked

_PASSAGES_AT_MOST = 5
_WORDS_AT_MOST = 300
"""Characters of a search: the model writes it."""

# The first that fits says why; an exception of no kind here is an answer that cannot be used.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], ModelFailure], ...] = (
    ((StartError,), ModelFailure.MISCONFIGURED),
    ((TimeoutError, ModelTimeoutError, ModelRequestTimeout), ModelFailure.TIMED_OUT),
    ((UsageLimitExceeded,), ModelFailure.LIMIT),
    ((ModelRateLimitError, ModelQuotaExceededError), ModelFailure.RATE_LIMITED),
    ((ModelRequestRejectedError, ContentFilterError), ModelFailure.REFUSED),
    (
        (ModelConnectionError, ModelServerError, ModelUnavailableError, ModelHTTPError),
        ModelFailure.UNAVAILABLE,
    ),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may cost."""

    seconds: float
    requests: int
    tool_calls: int
    tokens: int
    """Of all requests and responses together."""
    response_tokens: int
    """That the model may write in one response."""


@dataclass(frozen=True, slots=True)
class Consultation:
    """What the agent's tool works on: the turn says whose documents, the model only what words."""

    turn: TurnContext
    database: Database
    documents: list[Ulid] = field(default_factory=list[Ulid])
    """Those that were shown to the model, in order."""


@asynccontextmanager
async def open_model_assistant(
    database: Database, keys: Mapping[str, SecretStr], bounds: Bounds
) -> "AsyncGenerator[ModelAssistant]":
    """Open it without a connection; at the end the connections of all its models are closed."""
    async with AsyncExitStack() as clients:
        yield ModelAssistant(database, ModelClients(clients, keys), bounds)


class ModelAssistant:
    """See `ModelAnswers`. It has no effect on anything, so a turn that is run again starts anew."""

    def __init__(self, database: Database, clients: ModelClients, bounds: Bounds) -> None:
        """Take where the documents are, and what an answer may cost."""
        self._database = database
        self._clients = clients
        self._seconds = bounds.seconds
        self._limits = UsageLimits(
            request_limit=bounds.requests,
            tool_calls_limit=bounds.tool_calls,
            total_tokens_limit=bounds.tokens,
        )
        # A request is sent once more where a connection broke or the provider stumbled.
        self._settings = ModelSettings(max_tokens=bounds.response_tokens, max_retries=1)
        self._agent = Agent(
            name="recado",
            deps_type=Consultation,
            instructions=_instructions,
            tools=[search_documents],
        )

    async def ready(self, choice: ModelChoice) -> None:
        """Raise `StartError` with a sentence where the model could never answer."""
        await self._clients.model(choice)

    async def answer(self, turn: TurnContext, choice: ModelChoice) -> Answer:
        """See `ModelAnswers.answer`. `DependencyDown` is the documents' database, not the model."""
        consultation = Consultation(turn, self._database)
        try:
            async with asyncio.timeout(self._seconds):
                said = await self._ask(consultation, choice)
        except DependencyDown:
            raise
        except Exception as error:  # a provider's client may raise anything of its own
            raise _failure(error) from error
        text = presentable(said)
        if not text:
            raise ModelFailedError(ModelFailure.UNUSABLE)
        documents = tuple(dict.fromkeys(consultation.documents))
        return Answer(text, documents=documents, by="model")

    async def _ask(self, consultation: Consultation, choice: ModelChoice) -> str:
        turn = consultation.turn
        run = await self._agent.run(
            question(turn),
            model=await self._clients.model(choice),
            message_history=[_message(said) for said in history(turn)],
            deps=consultation,
            usage_limits=self._limits,
            model_settings=self._settings,
        )
        return run.output


async def search_documents(context: RunContext[Consultation], words: str) -> list[str]:
    """Search the business's documents, which are in Portuguese or English.

    If nothing fits, search again with other words or in the other language.

    Args:
        words: The few words that a passage with the answer would contain.
    """
    consultation = context.deps
    found = await consultation.database.read(
        partial(_passages, words=words[:_WORDS_AT_MOST]), tenant=consultation.turn.tenant
    )
    consultation.documents.extend(passage.document for passage in found)
    return [passage.text for passage in found]


def _passages(tx: Transaction, *, words: str) -> list[Candidate]:
    stems = stems_asked(words)
    best = ranked(stems, candidates(tx, stems), total=count_passages(tx), language=None)
    return [match.passage for match in best[:_PASSAGES_AT_MOST]]


def _instructions(context: RunContext[Consultation]) -> str:
    return instructions_for(context.deps.turn)


def _message(said: Said) -> ModelMessage:
    if said.by == "contact":
        return ModelRequest(parts=[UserPromptPart(said.text)])
    return ModelResponse(parts=[TextPart(said.text)])


def _failure(error: Exception) -> ModelFailedError:
    reason = next(
        (reason for kinds, reason in _FAILURES if isinstance(error, kinds)), ModelFailure.UNUSABLE
    )
    status = error.status_code if isinstance(error, ModelHTTPError) else None
    cause = str(error) if isinstance(error, StartError) else type(error).__name__
    return ModelFailedError(reason, cause=cause, status=status)
