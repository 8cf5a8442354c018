"""The composition root: what the processor is made of."""

from datetime import timedelta

from common.broker.dead_letters import DeadLetters
from common.broker.engine import Engine
from common.broker.outbox import Outbox
from common.broker.publisher import Publisher
from common.broker.retry import RetryPolicy
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED
from common.jobs import JobRunner, Jobs
from common.runtime import Component, HttpServer, Plumbing, open_plumbing, run_until_stopped
from processor.advance_conversation import AdvanceConversation
from processor.answer_turn import AnswerTurn, Pace
from processor.assistant.knowledge_assistant import KnowledgeAssistant
from processor.conversation.rules import Patience
from processor.give_up_turn import GiveUpTurn
from processor.job_kinds import PUBLISH, TIMER, TURN
from processor.publish_replies import PublishReplies
from processor.receive_message import ReceiveMessage
from processor.record_delivery import RecordDelivery
from processor.settings import ProcessorSettings

SERVICE = "processor"


async def run_worker(settings: ProcessorSettings) -> None:
    """Consume and run jobs until stopped; health and metrics on a port of their own."""
    pages = settings.health
    async with open_plumbing(settings) as plumbing:
        watched = HttpServer(plumbing.health.app(), host=pages.host, port=pages.port)
        await run_until_stopped(
            watched, *make_processor(settings, plumbing), drain_seconds=settings.drain_seconds
        )


def make_processor(settings: ProcessorSettings, plumbing: Plumbing) -> tuple[Component, Component]:
    """Make the consumer and the job runner, and tell health what they need.

    It opens nothing: the plumbing is the caller's, and must outlive them.
    """
    jobs = Jobs(
        SERVICE,
        plumbing.database,
        (TURN, PUBLISH, TIMER),
        lease=timedelta(seconds=settings.jobs.lease_seconds),
        per_tenant=settings.jobs.per_tenant,
    )
    consumer = _make_consumer(settings, plumbing, jobs)
    plumbing.health.add(SERVICE, consumer.ready)
    return consumer, _make_runner(settings, plumbing, jobs)


def _make_consumer(settings: ProcessorSettings, plumbing: Plumbing, jobs: Jobs) -> Engine:
    receive_message = ReceiveMessage(
        plumbing.database,
        jobs,
        plumbing.metrics,
        patience=_patience(settings),
        burst_window=timedelta(seconds=settings.processor.burst_window_seconds),
    )
    return Engine(
        plumbing.transport,
        SERVICE,
        {
            MESSAGES_RECEIVED: receive_message,
            DELIVERIES_UPDATED: RecordDelivery(plumbing.database),
        },
        dead_letters=DeadLetters(SERVICE, plumbing.database),
        policy=RetryPolicy.of(settings.broker),
        metrics=plumbing.metrics,
        concurrency=settings.broker.concurrency,
    )


def _make_runner(settings: ProcessorSettings, plumbing: Plumbing, jobs: Jobs) -> JobRunner:
    outbox = Outbox(SERVICE)
    answer_turn = AnswerTurn(
        plumbing.database,
        jobs,
        outbox,
        KnowledgeAssistant(plumbing.database),
        plumbing.metrics,
        patience=_patience(settings),
        pace=_pace(settings),
    )
    publisher = Publisher(plumbing.transport, plumbing.metrics)
    handlers = {
        TURN: answer_turn,
        PUBLISH: PublishReplies(plumbing.database, jobs, outbox, publisher),
        TIMER: AdvanceConversation(plumbing.database, jobs, patience=_patience(settings)),
    }
    given_up = {TURN: GiveUpTurn(plumbing.metrics, patience=_patience(settings))}
    return JobRunner(jobs, handlers, settings.jobs, plumbing.metrics, given_up=given_up)


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
