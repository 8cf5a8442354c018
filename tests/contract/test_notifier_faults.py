"""Closed accounts, mistakes of ours, failed jobs: nobody else waits for them, none is silent."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from common.accounts import SecretCipher
from common.errors import DependencyDown
from common.events import Payload, SendAccepted, SendFailed, Unanswered
from common.jobs import Job, JobHandler, JobRunner
from common.observability.metrics import Metrics
from common.settings import JobSettings
from common.testing import eventually
from common.testing.broker import running
from notifier.give_up_sends import GiveUpReconcile, GiveUpSender
from notifier.job_kinds import RECONCILE, SENDER
from notifier.message_sender import OutgoingMessage, Refused, SendResult
from tests.contract.notifier_world import (
    ANA,
    BIA,
    CIPHER,
    QUICK,
    Process,
    World,
    answering,
    new_world,
)
from tests.servers.postgres import PostgresServer

OTHER_KEY = SecretCipher({"other": b"o" * 32})
PATIENT = QUICK.model_copy(update={"reconcile_first_seconds": 600.0})
SLOW = QUICK.model_copy(update={"retry_first_seconds": 600.0})
IMPATIENT = JobSettings(
    kinds=frozenset({SENDER, RECONCILE}),
    retry_attempts=2,
    retry_first_seconds=0.001,
    poll_seconds=0.02,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        for contact in (ANA, BIA):
            await world.permit(contact)
        yield world


@asynccontextmanager
async def working(process: Process, **handlers: JobHandler) -> AsyncGenerator[CollectorRegistry]:
    """Run the process' jobs with its own handlers or with these; yield what is counted."""
    registry = CollectorRegistry()
    given_up = {
        SENDER: GiveUpSender(process.jobs, process.outcomes),
        RECONCILE: GiveUpReconcile(process.outcomes),
    }
    runner = JobRunner(
        process.jobs,
        {SENDER: process.deliver, RECONCILE: process.reconcile} | handlers,
        IMPATIENT,
        Metrics(registry),
        given_up=given_up,
    )
    async with running(runner):
        yield registry


def times_away(registry: CollectorRegistry) -> float:
    labels = {"service": "notifier", "kind": SENDER, "outcome": "dependency away"}
    return registry.get_sample_value("recado_jobs_run_total", labels) or 0.0


async def fail(_job: Job) -> None:
    raise ValueError("a mistake")


async def raise_a_mistake(_message: OutgoingMessage) -> SendResult:
    raise ValueError("a mistake")


# Accounts that do not open


async def test_an_account_that_does_not_open_is_waited_for_and_told_once(world: World) -> None:
    process = world.process()
    await world.reseal(OTHER_KEY)
    await process.accept(world.send())

    with capture_logs() as lines:
        async with working(process) as registry:
            await eventually(lambda: times_away(registry) > 3)
            waiting = await world.states()
            await world.reseal(CIPHER)
            await eventually(lambda: are(world, "accepted"))

    told = [line for line in lines if line["event"] == "dependency away"]
    assert waiting == ["waiting"]
    assert [type(each) for each in await world.told()] == [SendAccepted]
    assert [line["dependency"] for line in told] == [f"channel account {world.account.id}"]
    assert "RECADO_SECRETS_ENCRYPTION_KEYS" in told[0]["cause"]


async def test_a_send_of_unknown_outcome_waits_for_its_account_too(world: World) -> None:
    process = world.process()
    world.provider.plans.append(world.provider.take_and_fall_silent)
    await process.accept(world.send())
    await process.run_one(SENDER)
    await world.reseal(OTHER_KEY)

    with pytest.raises(DependencyDown):
        await world.process().run_one(RECONCILE)

    assert await world.states() == ["uncertain"]


async def test_what_was_refused_before_its_account_closed_is_surely_not_sent(
    world: World,
) -> None:
    process = world.process(SLOW)

    async def close_and_refuse(_message: OutgoingMessage) -> SendResult:
        await world.reseal(OTHER_KEY)
        return Refused(401, 20003)

    world.provider.plans.append(close_and_refuse)
    await process.accept(world.send())
    await process.run_one(SENDER)
    waiting = await world.states()
    await world.reseal(CIPHER)
    await world.let_time_pass()
    await process.work()

    assert waiting == ["waiting"]
    assert await world.states() == ["accepted"]


# Mistakes of ours


async def test_a_call_that_raises_keeps_no_other_recipient_waiting(world: World) -> None:
    process = world.process(PATIENT)
    world.provider.plans.append(raise_a_mistake)

    await process.accept(world.send(to=ANA))
    await process.accept(world.send(to=BIA))
    await process.work()

    assert await world.states() == ["uncertain", "accepted"]


async def test_a_message_whose_call_raised_is_looked_for_and_not_sent_blindly(
    world: World,
) -> None:
    process = world.process()

    async def take_and_raise(message: OutgoingMessage) -> SendResult:
        await world.provider.take(message)
        return await raise_a_mistake(message)

    world.provider.plans.append(take_and_raise)
    await process.accept(world.send())
    await process.work()

    assert await world.states() == ["sent"]
    assert len(world.provider.asked) == 1


async def test_an_answer_that_cannot_be_kept_keeps_no_other_recipient_waiting(
    world: World,
) -> None:
    process = world.process(PATIENT)
    world.provider.plans.append(answering(Refused(400, 10**30)))

    await process.accept(world.send(to=ANA))
    await process.accept(world.send(to=BIA))
    await process.work()

    assert await world.states() == ["uncertain", "accepted"]


async def test_a_part_that_cannot_be_read_waits_alone_and_in_the_end_fails(world: World) -> None:
    process = world.process(SLOW)
    await process.accept(world.send(to=ANA))
    await world.admin("update sends set channel = 'pigeon'")
    await process.accept(world.send(to=BIA))

    await process.work()
    first = await world.states()
    await world.admin("update sends set accepted_at = {long_ago}")
    await world.let_time_pass()
    await process.work()

    assert first == ["waiting", "accepted"]
    assert await world.states() == ["failed", "accepted"]
    assert failures(await world.told(ANA)) == [Unanswered.DEAD_LETTERED]


# Jobs that fail


async def test_what_a_failed_sender_leaves_fails_with_its_reason(world: World) -> None:
    process = world.process()
    await process.accept(world.send(to=ANA))
    await process.accept(world.send(to=BIA))

    async with working(process, sender=fail):
        await eventually(lambda: are(world, "failed", "failed"))

    assert failures(await world.told(ANA)) == [Unanswered.DEAD_LETTERED]
    assert failures(await world.told(BIA)) == [Unanswered.DEAD_LETTERED]


async def test_a_failed_sender_gives_up_what_was_next_and_has_another_run_for_the_rest(
    world: World,
) -> None:
    process = world.process()
    await process.accept(world.send("first"))
    await process.accept(world.send("second"))

    async def fail_over_the_first(job: Job) -> None:
        first, _ = await world.states()
        await (fail if first == "waiting" else process.deliver)(job)

    async with working(process, sender=fail_over_the_first):
        await eventually(lambda: are(world, "failed", "accepted"))

    assert world.provider.texts == ["second"]


async def test_what_a_failed_sender_may_have_sent_is_looked_for(world: World) -> None:
    process = world.process()
    await process.accept(world.send())
    job = await process.claim(SENDER)
    assert job is not None
    await world.write(state="claimed", claim_token=job.token)

    await process.jobs.fail(job, "a mistake", GiveUpSender(process.jobs, process.outcomes))

    assert await world.states() == ["uncertain"]
    assert await process.claim(RECONCILE) is not None


async def test_a_look_that_fails_for_good_leaves_the_part_to_a_person(world: World) -> None:
    process = world.process()
    world.provider.plans.append(world.provider.take_and_fall_silent)
    await process.accept(world.send())

    async with working(process, reconcile=fail):
        await eventually(lambda: are(world, "needs_review"))

    assert failures(await world.told()) == [Unanswered.UNDER_REVIEW]


def failures(told: Sequence[Payload]) -> list[Unanswered]:
    return [each.reason for each in told if isinstance(each, SendFailed)]


async def are(world: World, *states: str) -> bool:
    return await world.states() == [*states]
