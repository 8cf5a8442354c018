"""A bad deploy stops the consumer, one tenant's poison that tenant, until an operator says so."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from structlog.typing import EventDict

from common.broker.dead_letters.halts import Halts
from common.broker.engine.engine import Engine
from common.broker.memory import MemoryTransport
from common.broker.publisher import Publisher
from common.database import Database
from common.errors import PermanentError
from common.events import Event
from common.ids import Ulid, new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    GROUP,
    RememberingHandler,
    dead_letters_in,
    engine_of,
    message,
    running,
)
from tests.unit.common.moody_broker import Moody

SETTINGS = BrokerSettings(circuit_count=4, circuit_share=0.5, suspend_after=3)
TENANTS = [new_id() for _ in range(5)]


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


class Deploy:
    """A handler that fails for all, or for one tenant, until it is mended."""

    def __init__(self, tenant: Ulid | None = None) -> None:
        self.is_bad = True
        self._tenant = tenant

    async def __call__(self, event: Event[Any]) -> None:
        if self.is_bad and self._tenant in (None, event.tenant):
            raise PermanentError("a mistake of ours")


async def test_a_bad_deploy_halts_the_consumer_instead_of_draining_the_topic(
    transport: MemoryTransport, publisher: Publisher, database: Database, logs: list[EventDict]
) -> None:
    metrics = Metrics(CollectorRegistry())
    engine = engine_of(transport, Deploy(), database, settings=SETTINGS, metrics=metrics)
    for number in range(40):
        await publisher.publish(message(f"+{number}", tenant=TENANTS[number % 5]))

    async with running(engine):
        await eventually(lambda: is_halted(engine))
        reason, alive = await engine.ready(), await engine.alive()
        shown = metrics.registry.get_sample_value("recado_consumer_halted", {"group": GROUP})

    assert len(await dead_letters_in(database)) == 4
    assert (reason or "").startswith("halted: 5 of the last 5 records were given up, of ")
    assert (alive, shown) == (None, 1.0)
    assert [entry["log_level"] for entry in logs if entry["event"] == "consumer halted"] == [
        "critical"
    ]


async def test_a_halt_outlives_the_process_and_ends_when_the_operator_says_so(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    deploy = Deploy()
    for number in range(40):
        await publisher.publish(message(f"+{number}", tenant=TENANTS[number % 5]))
    engine = engine_of(transport, deploy, database, settings=SETTINGS)
    async with running(engine):
        await eventually(lambda: is_halted(engine))

    deploy.is_bad, handler = False, RememberingHandler(deploy)
    engine = engine_of(transport, handler, database, settings=SETTINGS)
    async with running(engine):
        await eventually(lambda: is_halted(engine))
        while_halted = list(handler.begun)
        await close_circuit(database)
        await eventually(lambda: len(handler.finished) == 36)

    assert while_halted == []
    assert len(await dead_letters_in(database)) == 4


async def test_a_consumer_that_was_halted_by_another_process_stops_too(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    handler = RememberingHandler()
    engine = engine_of(transport, handler, database)

    async with running(engine):
        await eventually(lambda: is_ready(engine))
        await Halts(GROUP, database).open_circuit("another process saw it")
        await eventually(lambda: is_halted(engine))
        await publisher.publish(message("+1"))
        await asyncio.sleep(0)
        begun = list(handler.begun)
        await close_circuit(database)
        await eventually(lambda: handler.finished)

    assert begun == []


async def test_one_tenant_s_poison_suspends_that_tenant_and_nobody_else(
    transport: MemoryTransport, publisher: Publisher, database: Database, logs: list[EventDict]
) -> None:
    poisoned, well = TENANTS[:2]
    handler = RememberingHandler(Deploy(poisoned))
    for number in range(8):
        await publisher.publish(message("+poisoned", f"{number}", tenant=poisoned))
        await publisher.publish(message("+well", f"{number}", tenant=well))

    async with running(engine_of(transport, handler, database, settings=SETTINGS)):
        await eventually(lambda: len(handler.words_of("+well")) == 8)
        await eventually(lambda: count(database, 8))

    letters = await dead_letters_in(database)
    reasons = [row["reason"] for row in letters]
    assert reasons == ["permanent failure"] * 3 + ["suspended"] * 5
    assert [row["seq"] for row in letters] == sorted(row["seq"] for row in letters)
    texts = [text for contact, text in handler.begun if contact == "+poisoned"]
    assert texts == ["0", "1", "2", "3"], "what is suspended is not tried"
    assert [entry for entry in logs if entry["event"] == "tenant suspended"] != []


async def test_a_suspended_tenant_s_records_are_set_aside_from_the_first_on(
    transport: MemoryTransport, publisher: Publisher, database: Database
) -> None:
    await Halts(GROUP, database).suspend(TENANTS[0], "by hand")
    handler = RememberingHandler()
    await publisher.publish(message("+1", tenant=TENANTS[0]))
    await publisher.publish(message("+2", tenant=TENANTS[1]))

    async with running(engine_of(transport, handler, database)):
        await eventually(lambda: count(database, 1))
        await eventually(lambda: handler.finished)

    (letter,) = await dead_letters_in(database)
    assert (letter["reason"], letter["attempts"]) == ("suspended", 0)
    assert [contact for contact, _ in handler.begun] == ["+2"]


async def test_who_is_suspended_is_read_afresh_when_shards_change_hands(
    database: Database,
) -> None:
    transport, handler = Moody(), RememberingHandler()
    publisher = Publisher(transport, Metrics(CollectorRegistry()))
    halts = Halts(GROUP, database, fresh_seconds=3600)
    engine = engine_of(transport, handler, database, halts=halts)
    await publisher.publish(message("+1", tenant=TENANTS[0]))

    async with running(engine):
        await eventually(lambda: handler.finished)
        await Halts(GROUP, database).suspend(TENANTS[0], "by another process")
        await transport.take_away("+1")
        await publisher.publish(message("+1", tenant=TENANTS[0]))
        await eventually(lambda: count(database, 1))

    assert len(handler.begun) == 1


async def close_circuit(database: Database) -> None:
    statement = text(f"delete from {GROUP}_halts where tenant_id is null")
    await database.transaction(lambda tx: tx.execute(statement))


async def count(database: Database, letters: int) -> bool:
    return len(await dead_letters_in(database)) == letters


async def is_halted(engine: Engine) -> bool:
    return (await engine.ready() or "").startswith("halted: ")


async def is_ready(engine: Engine) -> bool:
    return await engine.ready() is None
