"""`recado jobs`, as an operator types it, over the files of `recado dev`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner, Result

from common.database import Database, open_database
from common.errors import DependencyDown, StartError
from common.ids import Ulid, new_id
from common.jobs import Job, Jobs
from notifier import job_kinds as notifiers
from processor import job_kinds as processors
from recado.__main__ import app
from tests.servers.migrated import migrated_sqlite

T = TypeVar("T")

KINDS = {"processor": processors.ALL, "notifier": notifiers.ALL}
TENANT = new_id()


@dataclass(frozen=True)
class Folder:
    """What `recado dev` keeps."""

    data: Path

    def recado(self, *arguments: str) -> Result:
        """Type a verb."""
        return CliRunner().invoke(app, ["jobs", *arguments, "--data", str(self.data)])

    def fail(
        self, key: str, *, service: str = "processor", kind: str = "turn", tenant: Ulid = TENANT
    ) -> str:
        """Have a job fail, and return what an operator calls it by."""

        async def fail(jobs: Jobs, database: Database) -> None:
            await database.transaction(
                lambda tx: jobs.schedule(tx, kind, key, correlation=new_id()), tenant=tenant
            )
            (job,) = await jobs.claim({kind: 1})
            await jobs.fail(job, "KeyError: 'a fault'")

        self.run(service, fail)
        return f"{service}/{kind}/{tenant}/{key}"

    def claim(self, service: str = "processor", kind: str = "turn") -> list[Job]:
        """Take what is due."""

        async def claim(jobs: Jobs, _database: Database) -> list[Job]:
            return list(await jobs.claim({kind: 10}))

        return self.run(service, claim)

    def run(self, service: str, work: Callable[[Jobs, Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            url = f"sqlite:///{self.data}/recado.db"
            async with open_database(url, pool_size=1, busy_seconds=5.0) as database:
                lease = timedelta(seconds=30)
                jobs = Jobs(service, database, KINDS[service], lease=lease, per_tenant=4)
                return await work(jobs, database)

        return asyncio.run(opened())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    asyncio.run(migrated_sqlite(tmp_path / "recado.db"))
    return Folder(tmp_path)


def test_failed_jobs_are_listed_the_earliest_first(folder: Folder) -> None:
    first = folder.fail("c1")
    second = folder.fail("s1", service="notifier", kind="sender")

    lines = folder.recado("list").output.splitlines()

    assert [line.split()[0] for line in lines] == [first, second]
    assert "KeyError: 'a fault'" in lines[0]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (("--service", "notifier"), ["s1"]),
        (("--kind", "turn"), ["c1", "c2"]),
        (("--tenant", str(TENANT)), ["c1", "s1"]),
        (("--limit", "1"), ["c1"]),
        (("--since", "1h"), ["c1", "c2", "s1"]),
        (("--since", "2100-01-01"), []),
    ],
)
def test_a_filter_narrows_what_is_meant(
    folder: Folder, chosen: tuple[str, ...], found: list[str]
) -> None:
    folder.fail("c1")
    folder.fail("c2", tenant=new_id())
    folder.fail("s1", service="notifier", kind="sender")

    listed = json.loads(folder.recado("list", "--json", *chosen).output)

    assert [each["key"] for each in listed] == found


def test_one_is_shown_with_its_reason_and_its_correlation(folder: Folder) -> None:
    name = folder.fail("c1")

    shown = json.loads(folder.recado("show", name).output)

    assert (shown["id"], shown["reason"]) == (name, "KeyError: 'a fault'")
    assert shown["correlation"] is not None


def test_a_retried_job_runs_at_once_with_all_its_attempts(folder: Folder) -> None:
    name = folder.fail("c1")

    result = folder.recado("retry", name)

    assert result.output == f"{name} retried\n"
    assert [(job.key, job.attempts) for job in folder.claim()] == [("c1", 1)]
    assert "No failed job matches." in folder.recado("list").output


def test_a_dropped_job_is_gone(folder: Folder) -> None:
    name = folder.fail("c1")
    kept = folder.fail("c2")

    folder.recado("drop", name)

    assert [each["id"] for each in json.loads(folder.recado("list", "--json").output)] == [kept]
    assert folder.claim() == []


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_dry_run_changes_nothing(folder: Folder, verb: str) -> None:
    name = folder.fail("c1")

    told = json.loads(folder.recado(verb, "--dry-run", "--json").output)

    assert name in next(iter(told.values()))
    assert len(json.loads(folder.recado("list", "--json").output)) == 1


def test_more_than_one_is_dropped_only_where_that_is_meant(folder: Folder) -> None:
    folder.fail("c1")
    folder.fail("c2")

    careless = folder.recado("drop")
    meant = folder.recado("drop", "--yes")

    assert isinstance(careless.exception, StartError)
    assert "add --yes" in str(careless.exception)
    assert len(meant.output.splitlines()) == 2


def test_a_waiting_job_is_no_failed_one(folder: Folder) -> None:
    name = folder.fail("c1")
    folder.recado("retry", name)

    result = folder.recado("retry", name)

    assert result.output == "No failed job matches.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "c1"), "names no job"),
        (("show", f"processor/turn/{TENANT}/nothing"), "There is no failed job"),
        (("list", "--kind", "dance"), "There are no jobs of kind dance"),
        (("list", "--service", "gateway"), "There is no service gateway with jobs"),
        (("list", "--tenant", "padaria"), "is not a tenant's id"),
        (("list", "--since", "yesterday"), "is no time"),
    ],
)
def test_what_names_nothing_is_said_in_a_sentence(
    folder: Folder, arguments: tuple[str, ...], sentence: str
) -> None:
    result = folder.recado(*arguments)

    assert isinstance(result.exception, StartError)
    assert sentence in str(result.exception)


def test_a_database_that_is_away_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECADO_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/recado")
    monkeypatch.setenv("RECADO_ENVIRONMENT", "development")

    result = CliRunner().invoke(app, ["jobs", "list"])

    assert isinstance(result.exception, DependencyDown)
