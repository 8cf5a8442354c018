"""The composition root: what the processor is made of."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib import import_module

from common.broker.dead_letters.backlog import LetterGauges
from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.handling import EventHandler
from common.broker.engine.limits import Limits
from common.broker.engine.resume import ResumeTenant
from common.broker.engine.retry import RetryPolicy
from common.broker.outbox import Outbox
from common.broker.publisher import Publisher
from common.database import Database, ask_nothing
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, Topic
from common.jobs import JobRunner, Jobs
from common.runtime import Component, HttpServer, Plumbing, open_plumbing, run_until_stopped
from processor import job_kinds
from processor.advance_conversation import AdvanceConversation
from processor.answer_turn import AnswerTurn, Pace
from processor.assistant import Assistant
from processor.assistant.falling_back import FallingBack
from processor.assistant.knowledge_assistant import KnowledgeAssistant
from processor.assistant.on_demand import OnDemand, ReadyModels
from processor.conversation.rules import Patience
from processor.give_up_turn import GiveUpTurn
from processor.publish_replies import PublishReplies
from processor.receive_message import ReceiveMessage
from processor.record_delivery import RecordDelivery
from processor.settings import ProcessorSection, ProcessorSettings

SERVICE = "processor"


async def run_worker(settings: ProcessorSettings) -> None:
    """Consume and run jobs until stopped; health and metrics on a port of their own."""
    pages = settings.health
    async with (
        open_plumbing(settings) as plumbing,
        make_processor(settings, plumbing) as components,
    ):
        watched = HttpServer(plumbing.health.app(), host=pages.host, port=pages.port)
        await run_until_stopped(watched, *components, drain_seconds=settings.drain_seconds)


@asynccontextmanager
async def make_processor(
    settings: ProcessorSettings, plumbing: Plumbing
) -> AsyncGenerator[Sequence[Component]]:
    """Make the processor's components, and tell health what they need.

    The plumbing is the caller's, and must outlive them. Raises `StartError` for a default model
    that could never answer.
    """
    async with open_assistant(settings.processor, plumbing) as assistant:
        yield _components(settings, plumbing, assistant)


@asynccontextmanager
async def open_assistant(
    settings: ProcessorSection, plumbing: Plumbing
) -> AsyncGenerator[Assistant]:
    """Make who answers, and close the connections of its models at the end."""
    async with AsyncExitStack() as stack:
        models = OnDemand(partial(_load_models, settings, plumbing.database, stack))
        default = settings.default_model
        if default is not None:
            await models.ready(default)
        knowledge = KnowledgeAssistant(plumbing.database)
        yield FallingBack(models, knowledge, plumbing.metrics, default=default)


async def _load_models(
    settings: ProcessorSection, database: Database, stack: AsyncExitStack
) -> ReadyModels:
    # loaded only by who has a model, and in a thread: it takes seconds in which leases must go on
    await asyncio.to_thread(import_module, "processor.assistant.model_assistant")
    from processor.assistant.model_assistant import Bounds, open_model_assistant  # noqa: PLC0415

    bounds = Bounds(
        seconds=settings.model_seconds,
        requests=settings.model_requests,
        tool_calls=settings.model_tool_calls,
        tokens=settings.model_tokens,
        response_tokens=settings.model_response_tokens,
    )
    return await stack.enter_async_context(
        open_model_assistant(database, settings.keys_of_models, bounds)
    )


def _components(
    settings: ProcessorSettings, plumbing: Plumbing, assistant: Assistant
) -> Sequence[Component]:
    jobs = Jobs(
        SERVICE,
        plumbing.database,
        job_kinds.ALL,
        lease=timedelta(seconds=settings.jobs.lease_seconds),
        per_tenant=settings.jobs.per_tenant,
    )
    handlers = _make_handlers(settings, plumbing, jobs)
    consumer = _make_consumer(settings, plumbing, handlers)
    plumbing.health.add(SERVICE, consumer.ready)
    plumbing.health.add_liveness(SERVICE, consumer.alive)
    plumbing.health.add_dependency("database", partial(plumbing.database.read, ask_nothing))
    return (
        consumer,
        _make_runner(settings, plumbing, jobs, assistant, handlers),
        LetterGauges(SERVICE, plumbing.database, plumbing.metrics),
    )


def _make_handlers(
    settings: ProcessorSettings, plumbing: Plumbing, jobs: Jobs
) -> Mapping[Topic, EventHandler]:
    receive_message = ReceiveMessage(
        plumbing.database,
        jobs,
        plumbing.metrics,
        patience=_patience(settings),
        burst_window=timedelta(seconds=settings.processor.burst_window_seconds),
    )
    return {
        MESSAGES_RECEIVED: receive_message,
        DELIVERIES_UPDATED: RecordDelivery(plumbing.database),
    }


def _make_consumer(
    settings: ProcessorSettings, plumbing: Plumbing, handlers: Mapping[Topic, EventHandler]
) -> Engine:
    return Engine(
        plumbing.transport,
        SERVICE,
        handlers,
        dead_letters=DeadLetters(SERVICE, plumbing.database),
        halts=Halts(SERVICE, plumbing.database),
        policy=RetryPolicy.of(settings.broker),
        limits=Limits.of(settings.broker, settings.drain_seconds),
        conditions=Conditions.of(settings.broker),
        metrics=plumbing.metrics,
    )


def _make_runner(
    settings: ProcessorSettings,
    plumbing: Plumbing,
    jobs: Jobs,
    assistant: Assistant,
    handlers: Mapping[Topic, EventHandler],
) -> JobRunner:
    outbox = Outbox(SERVICE)
    answer_turn = AnswerTurn(
        plumbing.database,
        jobs,
        outbox,
        assistant,
        plumbing.metrics,
        patience=_patience(settings),
        pace=_pace(settings),
    )
    publisher = Publisher(plumbing.transport, plumbing.metrics)
    dead_letters = DeadLetters(SERVICE, plumbing.database)
    resume = ResumeTenant(SERVICE, plumbing.database, jobs, handlers, plumbing.metrics)
    return JobRunner(
        jobs,
        {
            job_kinds.TURN: answer_turn,
            job_kinds.PUBLISH: PublishReplies(
                plumbing.database, jobs, outbox, publisher, dead_letters
            ),
            job_kinds.TIMER: AdvanceConversation(
                plumbing.database, jobs, patience=_patience(settings)
            ),
            job_kinds.RESUME: resume,
        },
        settings.jobs,
        plumbing.metrics,
        given_up={
            job_kinds.TURN: GiveUpTurn(plumbing.metrics, patience=_patience(settings)),
            job_kinds.RESUME: resume.give_up,
        },
        endless=(job_kinds.PUBLISH,),
    )


def _patience(settings: ProcessorSettings) -> Patience:
    return Patience(
        idle=timedelta(seconds=settings.processor.idle_seconds),
        expiry=timedelta(seconds=settings.processor.expiry_seconds),
    )


def _pace(settings: ProcessorSettings) -> Pace:
    return Pace(
        burst_window=timedelta(seconds=settings.processor.burst_window_seconds),
        burst_cap=timedelta(seconds=settings.processor.burst_cap_seconds),
        age=timedelta(seconds=settings.processor.reply_age_seconds),
        history=settings.processor.history_messages,
    )
