"""A real Prometheus, a real run: every query of the dashboard has an answer."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from common.testing import eventually
from tests.monitoring.place import Place, one_process, separate_processes
from tests.monitoring.shown import RULES, queries
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresDatabase
from tests.servers.prometheus import Prometheus, prometheus, promtool
from tests.servers.stack import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CHOSEN = {"$namespace": ".*", "$__rate_interval": "2m"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with one_process(tmp_path / "var") as running:
        yield running


@pytest.fixture
async def place_on_kafka(
    postgres_database: PostgresDatabase, own_kafka: KafkaCluster, tmp_path: Path
) -> AsyncIterator[Place]:
    addresses = await prepare(postgres_database, own_kafka)
    with separate_processes(addresses, tmp_path) as running:
        yield running


async def test_every_query_has_an_answer_in_one_process(place: Place) -> None:
    with prometheus(place.pages, rules=[RULES]) as server:
        await live_under(server, place)

        await all_answered(server)


async def test_every_query_has_an_answer_on_kafka_and_postgres(place_on_kafka: Place) -> None:
    with prometheus(place_on_kafka.pages, rules=[RULES]) as server:
        await live_under(server, place_on_kafka)

        await all_answered(server)


async def test_a_dead_letter_is_alarming_and_what_goes_well_is_not(place: Place) -> None:
    with prometheus(place.pages, rules=[RULES]) as server:
        await eventually(lambda: scraped(server), within=30)
        await place.live(0)

        await eventually(lambda: "RecadoGivesUp" in server.alerts(), within=30)

        assert server.alerts().keys().isdisjoint({"RecadoWebhooksFail", "RecadoConsumerStands"})
        assert server.health_of_rules() == {"ok"}


def test_what_is_scraped_is_written_as_prometheus_wishes(place: Place) -> None:
    done = promtool("check", "metrics", words=place.scrape())

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def live_under(server: Prometheus, place: Place) -> None:
    """Two days, each seen: what a histogram counted before it was ever scraped has no rate."""
    await eventually(lambda: scraped(server), within=30)
    for day in range(2):
        await place.live(day)
        letters = f"sum(recado_dead_letters_total) == {day + 1}"
        replies = f"sum(recado_reply_seconds_count) == {3 * (day + 1)}"
        await eventually(lambda: server.query(letters) and server.query(replies), within=30)  # noqa: B023


async def all_answered(server: Prometheus) -> None:
    with suppress(AssertionError):  # the list below says more
        await eventually(lambda: unanswered(server) == [], within=30)
    assert unanswered(server) == []


def scraped(server: Prometheus) -> bool:
    return [sample["value"][1] for sample in server.query("min(up)")] == ["1"]


def unanswered(server: Prometheus) -> list[str]:
    """The panels without a number; one that is not a number is none."""
    return [
        f"{title}: {expression}"
        for title, expression in queries()
        if not any(sample["value"][1] != "NaN" for sample in server.query(filled(expression)))
    ]


def filled(expression: str) -> str:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression
