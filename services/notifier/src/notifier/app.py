"""The composition root: what the notifier is made of."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from common.accounts import AccountRegistry, SecretCipher
from common.broker.dead_letters.backlog import LetterGauges
from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import DeadLetters
from common.broker.engine.circuit import Conditions
from common.broker.engine.engine import Engine
from common.broker.engine.handling import EventGivenUp, EventHandler
from common.broker.engine.limits import Limits
from common.broker.engine.resume import ResumeTenant
from common.broker.engine.retry import RetryPolicy
from common.broker.outbox import Outbox
from common.broker.publisher import Publisher
from common.database import Database, ask_nothing
from common.errors import StartError
from common.events import DELIVERIES_REPORTED, MESSAGES_SEND, Topic
from common.jobs import GivenUp, JobHandler, JobRunner, Jobs
from common.runtime import Component, HttpServer, Plumbing, open_plumbing, run_until_stopped
from notifier import job_kinds
from notifier.accept_send import AcceptSend
from notifier.deliver_sends import DeliverSends, longest_call
from notifier.give_up_command import GiveUpCommand
from notifier.give_up_sends import GiveUpReconcile, GiveUpSender
from notifier.message_sender import MessageSender
from notifier.part_outcomes import PartOutcomes
from notifier.publish_deliveries import PublishDeliveries
from notifier.reconcile_sends import ReconcileSends
from notifier.settings import NotifierSettings
from notifier.track_delivery import TrackDelivery

SERVICE = "notifier"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Records:
    """What is done with the records of each topic, at once or after a suspension."""

    handlers: Mapping[Topic, EventHandler]
    given_up: Mapping[Topic, EventGivenUp]


async def run(settings: NotifierSettings) -> None:
    """Send and follow what is sent, until stopped."""
    cipher = SecretCipher.of(settings.secrets)
    pages = settings.health
    async with (
        open_plumbing(settings) as plumbing,
        make_notifier(settings, plumbing, cipher) as components,
    ):
        watched = HttpServer(plumbing.health.app(), host=pages.host, port=pages.port)
        log.info("notifier working", health_port=watched.port)
        await run_until_stopped(*components, watched, drain_seconds=settings.drain_seconds)


@asynccontextmanager
async def make_notifier(
    settings: NotifierSettings, plumbing: Plumbing, cipher: SecretCipher
) -> AsyncGenerator[Sequence[Component]]:
    """Make the notifier's components, and tell health what they need.

    The plumbing is the caller's, and must outlive it. Raises `StartError` for settings with which
    nothing would ever be sent.
    """
    # imported here, so that only who sends loads Twilio's package
    from notifier.twilio_sender import open_twilio  # noqa: PLC0415

    refuse_short_lease(settings)
    async with open_twilio(settings.notifier, plumbing.metrics) as sender:
        registry = AccountRegistry(plumbing.database, cipher)
        yield _components(settings, plumbing, registry, sender)


def _components(
    settings: NotifierSettings,
    plumbing: Plumbing,
    accounts: AccountRegistry,
    sender: MessageSender,
) -> Sequence[Component]:
    at, database, metrics = settings.notifier, plumbing.database, plumbing.metrics
    jobs, outbox = _jobs(settings, database), Outbox(SERVICE)
    outcomes = PartOutcomes(jobs, outbox, metrics, at)
    records = _records(settings, database, jobs, outbox, outcomes)
    resume = ResumeTenant(
        SERVICE, database, jobs, records.handlers, metrics, given_up=records.given_up
    )
    deliver = DeliverSends(database, jobs, outcomes, accounts=accounts, sender=sender, settings=at)
    reconcile = ReconcileSends(
        database, jobs, outcomes, accounts=accounts, sender=sender, settings=at
    )
    publisher = Publisher(plumbing.transport, metrics)
    dead_letters = DeadLetters(SERVICE, database)
    handlers: dict[str, JobHandler] = {
        job_kinds.SENDER: deliver,
        job_kinds.RECONCILE: reconcile,
        job_kinds.PUBLISH: PublishDeliveries(database, jobs, outbox, publisher, dead_letters),
        job_kinds.RESUME: resume,
    }
    given_up: dict[str, GivenUp] = {
        job_kinds.SENDER: GiveUpSender(jobs, outcomes),
        job_kinds.RECONCILE: GiveUpReconcile(outcomes),
        job_kinds.RESUME: resume.give_up,
    }
    runner = JobRunner(
        jobs, handlers, settings.jobs, metrics, given_up=given_up, endless=(job_kinds.PUBLISH,)
    )
    engine = _engine(settings, plumbing, records)
    plumbing.health.add(SERVICE, engine.ready)
    plumbing.health.add_liveness(SERVICE, engine.alive)
    plumbing.health.add_dependency("database", partial(database.read, ask_nothing))
    return engine, runner, LetterGauges(SERVICE, database, metrics)


def _records(
    settings: NotifierSettings,
    database: Database,
    jobs: Jobs,
    outbox: Outbox,
    outcomes: PartOutcomes,
) -> Records:
    return Records(
        handlers={
            MESSAGES_SEND: AcceptSend(database, jobs, part_length=settings.notifier.part_length),
            DELIVERIES_REPORTED: TrackDelivery(database, outcomes),
        },
        given_up={MESSAGES_SEND: GiveUpCommand(jobs, outbox)},
    )


def _engine(settings: NotifierSettings, plumbing: Plumbing, records: Records) -> Engine:
    return Engine(
        plumbing.transport,
        SERVICE,
        records.handlers,
        given_up=records.given_up,
        dead_letters=DeadLetters(SERVICE, plumbing.database),
        halts=Halts(SERVICE, plumbing.database),
        policy=RetryPolicy.of(settings.broker),
        limits=Limits.of(settings.broker, settings.drain_seconds),
        conditions=Conditions.of(settings.broker),
        metrics=plumbing.metrics,
    )


def _jobs(settings: NotifierSettings, database: Database) -> Jobs:
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    per_tenant = settings.jobs.per_tenant
    return Jobs(SERVICE, database, job_kinds.ALL, lease=lease, per_tenant=per_tenant)


def refuse_short_lease(settings: NotifierSettings) -> None:
    """Raise `StartError` where a call could outlast its lease, and so would never be made."""
    needed = longest_call(settings.notifier).total_seconds()
    if settings.jobs.lease_seconds <= needed:
        raise StartError(
            f"Set RECADO_JOBS_LEASE_SECONDS to more than {needed:g}, or "
            "RECADO_NOTIFIER_CALL_SECONDS to less: a call to Twilio must end before its lease."
        )
