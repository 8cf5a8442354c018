"""`recado deadletters`, as an operator types it, over the files of `recado dev`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner, Result

from common.broker.dead_letters.halts import Halts
from common.broker.dead_letters.letters import REPLAYS_HEADER, DeadLetter, DeadLetters, Reason
from common.broker.sqlite.transport import SqliteTransport
from common.database import Database, open_database
from common.errors import DependencyDown, StartError
from common.events import MESSAGES_RECEIVED, Record, encode
from common.ids import Ulid, new_id
from common.jobs import Jobs
from common.testing.broker import message
from processor.add_tenant import AddTenant
from recado.__main__ import app
from tests.servers.migrated import migrated_sqlite

T = TypeVar("T")

SECRET = "Meu CPF é 123.456.789-09"
CONTACT = "+5511999990001"


@dataclass(frozen=True)
class Folder:
    """What `recado dev` keeps, with one tenant in it."""

    data: Path
    tenant: Ulid

    def recado(self, *arguments: str, by: str | None = "ana") -> Result:
        """Type a verb."""
        command = ["deadletters", *arguments, "--data", str(self.data)]
        return CliRunner().invoke(app, command, env={"USER": by, "LOGNAME": None})

    def give_up(self, *letters: DeadLetter, service: str = "processor") -> None:
        async def record(database: Database) -> None:
            for letter in letters:
                await DeadLetters(service, database).record(letter)

        self.run(record)

    def letter(self, words: str = SECRET, *, replays: int = 0) -> DeadLetter:
        record = encode(message(CONTACT, words, tenant=self.tenant))
        counted = (*record.headers, (REPLAYS_HEADER, str(replays).encode()))
        return DeadLetter(
            record=replace(record, headers=counted if replays else record.headers),
            record_id=str(new_id()),
            tenant=self.tenant,
            reason=Reason.PERMANENT,
            error_class="RuntimeError",
            detail=f"cannot reach {CONTACT}",
            attempts=2,
            first_failed_at=datetime(2026, 1, 5, 12, tzinfo=UTC),
            last_failed_at=datetime(2026, 1, 6, 12, tzinfo=UTC),
        )

    def run(self, work: Callable[[Database], Awaitable[T]], file: str = "recado.db") -> T:
        async def opened() -> T:
            url = f"sqlite:///{self.data / file}"
            async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
                return await work(database)

        return asyncio.run(opened())

    def published(self) -> list[Record]:
        async def read(database: Database) -> list[Record]:
            transport = SqliteTransport(database, lease_seconds=30)
            records: list[Record] = []
            async with transport.subscribe("processor", [MESSAGES_RECEIVED], _nobody) as held:
                while deliveries := await held.fetch(100):
                    records += [delivery.record for delivery in deliveries]
                    await held.acknowledge(deliveries)
            return records

        return self.run(read, "broker.db")


async def _nobody(_shards: object) -> None:
    """Nothing is revoked here."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    asyncio.run(migrated_sqlite(tmp_path / "recado.db"))
    folder = Folder(tmp_path, new_id())
    folder.run(lambda database: AddTenant(database)(folder.tenant, name="Padaria"))
    return folder


# Seeing


def test_the_list_says_why_and_nothing_that_a_customer_wrote(folder: Folder) -> None:
    folder.give_up(folder.letter())

    listed = folder.recado("list")

    assert listed.stdout.startswith("processor/1  2026-01-06T12:00:00+00:00  messages.received")
    assert f"tenant {folder.tenant}  permanent failure (RuntimeError)  attempts 2" in listed.stdout
    assert "CPF" not in listed.stdout
    assert "99999" not in listed.stdout


def test_the_list_is_of_both_services_or_of_one(folder: Folder) -> None:
    for service in ("notifier", "processor"):
        folder.give_up(folder.letter(), service=service)

    both = json.loads(folder.recado("list", "--json").stdout)
    one = json.loads(folder.recado("list", "--service", "notifier", "--json").stdout)

    assert [each["id"] for each in both] == ["processor/1", "notifier/1"]
    assert [each["id"] for each in one] == ["notifier/1"]


def test_a_list_that_ends_at_its_limit_says_so(folder: Folder) -> None:
    folder.give_up(folder.letter(), folder.letter())

    assert "More of them match" in folder.recado("list", "--limit", "1").stderr
    assert "More of them match" not in folder.recado("list", "--limit", "2").stderr


@pytest.mark.parametrize("since", ["1d", "30m", "2026-01-06T12:01"])
def test_what_was_given_up_earlier_is_left_out(folder: Folder, since: str) -> None:
    folder.give_up(folder.letter())

    assert folder.recado("list", "--since", since).stdout == "No dead letter matches.\n"
    assert folder.recado("list", "--since", "2026-01-06").stdout.startswith("processor/1")


def test_a_letter_is_shown_without_texts_and_numbers(folder: Folder) -> None:
    letter = folder.letter()
    folder.give_up(letter)

    shown = folder.recado("show", "processor/1").stdout

    page = json.loads(shown)
    assert (page["event"], page["headers"]["ce_tenantid"]) == (
        str(letter.event),
        str(letter.tenant),
    )
    assert page["body"]["text"] == f"({len(SECRET)} characters)"
    assert "CPF" not in shown
    assert "99999" not in shown


def test_a_letter_is_shown_as_it_is_to_who_asks_for_it(folder: Folder) -> None:
    folder.give_up(folder.letter())

    page = json.loads(folder.recado("show", "processor/1", "--reveal").stdout)

    assert (page["body"]["text"], page["body"]["contact"]) == (SECRET, CONTACT)
    assert page["detail"] == f"cannot reach {CONTACT}"


def test_bytes_that_are_no_json_are_masked_as_a_whole(folder: Folder) -> None:
    letter = folder.letter()
    strange = replace(letter.record, value=b"\xff oi", headers=(("x-from", b"Ana Maria"),))
    folder.give_up(replace(letter, record=strange))

    page = json.loads(folder.recado("show", "processor/1").stdout)

    assert page["body"] == "(4 characters)"
    assert page["headers"] == {"x-from": "(9 characters)"}


# Replaying and discarding


def test_letters_are_replayed_and_gone(folder: Folder) -> None:
    letters = [folder.letter("one"), folder.letter("two")]
    folder.give_up(*letters)

    replayed = folder.recado("replay", "--rate", "1000")

    assert replayed.stdout == "2 replayed.\n"
    assert [record.value for record in folder.published()] == [
        each.record.value for each in letters
    ]
    assert folder.recado("list").stdout == "No dead letter matches.\n"


def test_a_dry_run_names_them_and_does_nothing(folder: Folder) -> None:
    folder.give_up(folder.letter(), folder.letter(replays=3))

    tried = folder.recado("replay", "--dry-run", by=None)
    thrown = folder.recado("discard", "--dry-run", by=None)

    assert tried.stdout == "1 would be replayed: processor/1.\n"
    assert thrown.stdout == "2 would be discarded: processor/1, processor/2.\n"
    assert folder.published() == []
    assert len(folder.recado("list").stdout.splitlines()) == 2


def test_a_record_is_replayed_three_times_and_then_only_if_that_is_meant(folder: Folder) -> None:
    folder.give_up(folder.letter(replays=3))

    refused = folder.recado("replay", "processor/1")
    meant = folder.recado("replay", "processor/1", "--again")

    assert (refused.exit_code, refused.stdout) == (1, "0 replayed.\n")
    assert "processor/1 is left as it is: it was replayed 3 times already" in refused.stderr
    assert meant.stdout == "1 replayed.\n"
    assert dict(folder.published()[0].headers)[REPLAYS_HEADER] == b"4"


def test_a_suspended_record_is_not_replayed_past_those_before_it(folder: Folder) -> None:
    folder.give_up(replace(folder.letter(), reason=Reason.SUSPENDED))

    refused = folder.recado("replay")

    assert "it waits for its tenant to be resumed" in refused.stderr
    assert folder.published() == []


def test_who_replays_is_named(folder: Folder) -> None:
    folder.give_up(folder.letter())

    refused = folder.recado("replay", by=None)

    assert said(refused) == "Say who you are, for the record: add --by NAME."
    assert folder.recado("replay", "--by", "bia", by=None).stdout == "1 replayed.\n"


def test_a_broker_that_goes_away_leaves_the_rest_as_they_are(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = SqliteTransport.publish

    async def once(self: SqliteTransport, record: Record) -> None:
        monkeypatch.setattr(SqliteTransport, "publish", never)
        await publish(self, record)

    async def never(_self: SqliteTransport, _record: Record) -> None:
        raise DependencyDown("the broker", "connection refused")

    monkeypatch.setattr(SqliteTransport, "publish", once)
    folder.give_up(folder.letter(), folder.letter(), folder.letter())

    stopped = folder.recado("replay", "--rate", "1000")

    assert said(stopped) == (
        "the broker is away: connection refused. "
        "1 of 3 were replayed; the others are dead letters still."
    )
    assert len(folder.recado("list").stdout.splitlines()) == 2


def test_several_are_discarded_only_if_that_is_meant(folder: Folder) -> None:
    folder.give_up(folder.letter(), folder.letter(), folder.letter())

    one = folder.recado("discard", "processor/3")
    refused = folder.recado("discard")
    meant = folder.recado("discard", "--yes")

    assert one.stdout == "1 discarded.\n"
    assert said(refused) == "This discards 2 dead letters for good: add --yes."
    assert meant.stdout == "2 discarded.\n"


# What stands still


def test_what_stands_still_is_listed_and_resumed(folder: Folder) -> None:
    async def stop(database: Database) -> None:
        await Halts("processor", database).suspend(folder.tenant, "ten in a row")
        await Halts("notifier", database).open_circuit("nothing decodes")

    folder.run(stop)

    before = folder.recado("halts").stdout.splitlines()
    tenant = folder.recado("resume", str(folder.tenant))
    consumer = folder.recado("resume", "--consumer")
    (after,) = json.loads(folder.recado("halts", "--json").stdout)

    assert before[0].startswith(f"processor: tenant {folder.tenant} suspended since")
    assert before[1].endswith("nothing decodes")
    assert (tenant.stdout, consumer.stdout) == ("Resumed: processor.\n", "Resumed: notifier.\n")
    assert (after["tenant"], after["state"]) == (str(folder.tenant), "resuming")
    assert folder.run(_resume_jobs) == [str(folder.tenant)]


async def _resume_jobs(database: Database) -> list[str]:

    jobs = Jobs("processor", database, ("resume",), lease=timedelta(seconds=30), per_tenant=1)
    return [job.key for job in await jobs.claim({"resume": 10})]


def test_nothing_stands_still_by_itself(folder: Folder) -> None:
    assert folder.recado("halts").stdout == "Nothing stands still.\n"
    assert said(folder.recado("resume", "--consumer")) == "Nothing of the consumers stands still."


# What an operator may get wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "processor/9"], "There is no dead letter processor/9."),
        (["show", "9"], "9 names no dead letter; `recado deadletters list` does."),
        (["list", "--tenant", "x"], "x is not a tenant's id; `recado tenants add` prints it."),
        (["list", "--since", "x"], "x is no time: write 30m, 2h, 1d or 2026-01-31T12:00."),
        (["resume"], "Name a tenant, or add --consumer."),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(
    folder: Folder, arguments: list[str], sentence: str
) -> None:
    assert said(folder.recado(*arguments)) == sentence


@pytest.mark.parametrize("verb", [["list", "--tenant"], ["resume"]])
def test_a_tenant_that_there_is_not_is_named(folder: Folder, verb: list[str]) -> None:
    unknown = str(new_id())

    assert said(folder.recado(*verb, unknown)) == f"There is no tenant {unknown}."


def test_a_folder_without_a_database_stays_without_one(tmp_path: Path) -> None:
    nowhere = Folder(tmp_path / "other", new_id())

    assert said(nowhere.recado("list")).startswith("There is no database at ")
    assert not nowhere.data.exists()


def test_a_database_that_is_away_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECADO_ENVIRONMENT", "development")
    monkeypatch.setenv("RECADO_DATABASE_ADMIN_URL", "postgresql://nobody@127.0.0.1:1/recado")

    answered = CliRunner().invoke(app, ["deadletters", "list"])

    assert isinstance(answered.exception, DependencyDown)
    assert str(answered.exception).startswith("postgres is away: ")
    assert folder.recado("list").exit_code == 0, "a folder that is named is asked instead"


def said(result: Result) -> str:
    """Return the sentence that `main` prints."""
    assert isinstance(result.exception, StartError), result.output
    return str(result.exception)
