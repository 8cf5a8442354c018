"""The process ends at any step, or loses its lease: each part is taken once and ends somewhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.events import SendAccepted
from common.jobs import LeaseLostError
from common.testing import eventually
from notifier.message_sender import OutgoingMessage, Refused, SendResult
from tests.contract.killable_database import KilledError
from tests.contract.notifier_world import ANA, Plan, Process, World, new_world
from tests.servers.postgres import PostgresServer

ANSWER = "Temos pão, bolo e café. " * 140
MOST_COMMITS = 40


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_server")


@pytest.fixture
async def world(server: PostgresServer | None, tmp_path: Path) -> AsyncIterator[World]:
    async with new_world(tmp_path, server) as world:
        yield world


async def work_until_killed(process: Process) -> bool:
    """Tell whether it was."""
    try:
        await process.work()
    except KilledError:
        return True
    return False


async def recover(world: World) -> None:
    """Start again until nothing is left to do."""
    await world.lose_leases()
    await world.process().work()


async def is_whole(world: World, contact: str) -> bool:
    """Each part of the one answer to the contact was taken once, in order, and is known of."""
    taken = [
        message.text for message in world.provider.taken.values() if message.recipient == contact
    ]
    states = {part.state for part in await world.parts() if part.recipient == contact}
    return " ".join(taken).split() == ANSWER.split() and states <= {"accepted", "sent"}


@pytest.mark.parametrize("side", ["dies_before", "dies_after"])
async def test_killed_at_any_commit_an_answer_is_sent_whole_and_once(
    world: World, side: str
) -> None:
    killed = 0
    for commit in range(1, MOST_COMMITS):
        contact = f"whatsapp:+5511{commit:09}"
        await world.permit(contact)
        await world.process().accept(world.send(ANSWER, to=contact))

        process = world.process()
        setattr(process.database, side, commit)
        was_killed = await work_until_killed(process)
        await recover(world)

        assert await is_whole(world, contact), f"killed at commit {commit}"
        if not was_killed:
            break
        killed += 1

    assert 5 < killed < MOST_COMMITS - 1


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("side", ["kill_before_taking", "kill_after_taking"])
async def test_killed_in_a_call_an_answer_is_sent_whole_and_once(
    world: World, side: str, part: int
) -> None:
    await world.permit()
    kill: Plan = getattr(world.provider, side)
    world.provider.plans.extend([*[world.provider.take] * part, kill])
    await world.process().accept(world.send(ANSWER))

    assert await work_until_killed(world.process())
    await recover(world)

    assert await is_whole(world, ANA)
    assert len(world.provider.taken) == 3


async def test_an_answer_that_is_stored_twice_at_once_is_stored_once(world: World) -> None:
    await world.permit()
    send, other = world.send(ANSWER), world.send("and another")

    await asyncio.gather(*(world.process().accept(each) for each in (send, other, send, other)))

    assert [part.place for part in await world.parts()] == [0, 1, 2, 3]


async def test_who_lost_the_lease_claims_nothing(world: World) -> None:
    await world.permit()
    stopped, other = world.process(), world.process()
    await other.accept(world.send())
    old = await stopped.claim("sender")
    await world.lose_leases()
    new = await other.claim("sender")
    assert old is not None
    assert new is not None

    with pytest.raises(LeaseLostError):
        await stopped.deliver(old)
    claimed_by_the_stopped_one = await world.states()
    await other.deliver(new)

    assert claimed_by_the_stopped_one == ["waiting"]
    assert len(world.provider.asked) == 1


async def test_a_process_that_woke_after_its_lease_does_not_call(world: World) -> None:
    await world.permit()
    stopped = world.process()
    await stopped.accept(world.send())
    job = await stopped.claim("sender")
    assert job is not None

    def sleep_past_the_lease() -> None:
        if stopped.database.commits == commits_before + 2:  # the part is claimed
            job.held_until = 0.0

    commits_before = stopped.database.commits
    stopped.database.committed = sleep_past_the_lease
    await stopped.deliver(job)
    called = len(world.provider.asked)
    await world.let_time_pass()
    await world.process().work()

    assert called == 0
    assert await world.states() == ["accepted"]


async def test_a_call_in_the_air_is_not_made_again_by_the_next_holder(world: World) -> None:
    await world.permit()
    stopped, other = world.process(), world.process()
    calling, answered = asyncio.Event(), asyncio.Event()

    async def answer_late(message: OutgoingMessage) -> SendResult:
        answer = await world.provider.take(message)
        calling.set()
        await answered.wait()
        return answer

    world.provider.plans.append(answer_late)
    await stopped.accept(world.send())
    job = await stopped.claim("sender")
    assert job is not None
    delivering = asyncio.create_task(stopped.deliver(job))
    await calling.wait()
    await world.lose_leases()
    await other.work()
    answered.set()
    with pytest.raises(LeaseLostError):
        await delivering

    assert len(world.provider.asked) == 1
    assert await world.states() == ["sent"]


async def test_a_late_refusal_says_nothing_of_a_newer_call(world: World) -> None:
    await world.permit()
    stopped, other = world.process(), world.process()
    calling, answered = asyncio.Event(), asyncio.Event()

    async def refuse_late(_message: OutgoingMessage) -> SendResult:
        calling.set()
        await answered.wait()
        return Refused(400, 21211)

    async def take_meanwhile(message: OutgoingMessage) -> SendResult:
        answered.set()
        with pytest.raises(LeaseLostError):
            await delivering
        return await world.provider.take(message)

    world.provider.plans.extend([refuse_late, take_meanwhile])
    await stopped.accept(world.send())
    job = await stopped.claim("sender")
    assert job is not None
    delivering = asyncio.create_task(stopped.deliver(job))
    await calling.wait()
    await world.lose_leases()
    await other.work()

    assert [type(told) for told in await world.told()] == [SendAccepted]


class TestPostgres:
    """What cannot come between on SQLite, where one writes at a time."""

    @pytest.fixture
    def server(self, postgres_server: PostgresServer) -> PostgresServer:
        return postgres_server

    async def test_a_callback_that_is_being_written_is_waited_for_and_not_undone(
        self, world: World
    ) -> None:
        await world.permit()
        world.provider.plans.append(world.provider.kill_after_taking)
        await world.process().accept(world.send())
        assert await work_until_killed(world.process())
        await world.lose_leases()
        callback = await asyncpg.connect(world.owner_url)
        await callback.execute("begin; update send_parts set state = 'accepted'")

        async def is_waited_for() -> bool:
            return bool(await callback.fetch("select from pg_locks where not granted"))

        working = asyncio.create_task(world.process().work())
        await eventually(is_waited_for)
        await callback.execute("commit")
        await callback.close()
        await working

        assert await world.states() == ["accepted"]
