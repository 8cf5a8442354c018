"""`recado jobs`: see the jobs that failed for good, and have them run again or forget them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer

from common.errors import StartError
from common.jobs.failed import FailedJob, FailedJobs, Wanted
from notifier.settings import NotifierSettings
from processor.settings import ProcessorSettings
from recado.filters import Data, DryRun, Json, Limit, TenantId, tenant_meant, time_meant
from recado.owner_database import owner_database
from recado.settings import operator_settings

app = typer.Typer(help="Jobs that failed for good.", no_args_is_help=True)

_KINDS = {"processor": ProcessorSettings.job_kinds, "notifier": NotifierSettings.job_kinds}

T = TypeVar("T")

JobName = Annotated[str | None, typer.Argument(help="One of them, as `list` names it.")]
Service = Annotated[str | None, typer.Option(help="Of this service; else of all.")]
Kind = Annotated[str | None, typer.Option(help="Of this kind.")]
Since = Annotated[str | None, typer.Option(help="Failed since then: 30m, 2h, 1d, or a time.")]


class Found(NamedTuple):
    """A failed job, and where it is."""

    jobs: FailedJobs
    job: FailedJob

    @property
    def name(self) -> str:
        """What an operator calls it by."""
        return f"{self.jobs.service}/{self.job.kind}/{self.job.tenant}/{self.job.key}"


class Selection(NamedTuple):
    """Which failed jobs an operator means."""

    services: tuple[str, ...]
    wanted: Wanted


@app.command("list")
def list_jobs(
    *,
    service: Service = None,
    kind: Kind = None,
    tenant: TenantId = None,
    since: Since = None,
    limit: Limit = 100,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print them, a line each."""
    selection = _selection(
        None, service=service, kind=kind, tenant=tenant, since=since, limit=limit
    )
    found = _run(data, selection, _nothing)
    if as_json:
        _print([_facts(each) for each in found])
        return
    for each in found:
        failed = each.job.failed_at.isoformat(timespec="seconds")
        typer.echo(f"{each.name}  {failed}  attempts {each.job.attempts}  {each.job.reason}")
    _tell_if_none(found)


@app.command()
def show(
    job: Annotated[str, typer.Argument(help="As `list` names it.")], data: Data = None
) -> None:
    """Print one as JSON."""
    found = _run(data, _selection(job), _nothing)
    if not found:
        raise StartError(f"There is no failed job {job}.")
    _print(_facts(found[0]))


@app.command()
def retry(
    job: JobName = None,
    *,
    service: Service = None,
    kind: Kind = None,
    tenant: TenantId = None,
    since: Since = None,
    limit: Limit = 100,
    data: Data = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have them run at once, with all their attempts before them."""
    selection = _selection(job, service=service, kind=kind, tenant=tenant, since=since, limit=limit)
    found = _run(data, selection, _nothing if dry_run else _retry)
    _tell(found, "retried", dry_run=dry_run, as_json=as_json)


@app.command()
def drop(
    job: JobName = None,
    *,
    service: Service = None,
    kind: Kind = None,
    tenant: TenantId = None,
    since: Since = None,
    limit: Limit = 100,
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="More than one.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Forget them for good; what they were about stays as it is."""
    if job is None and not yes and not dry_run:
        raise StartError("This may forget several jobs for good: add --yes, or see --dry-run.")
    selection = _selection(job, service=service, kind=kind, tenant=tenant, since=since, limit=limit)
    found = _run(data, selection, _nothing if dry_run else _drop)
    _tell(found, "dropped", dry_run=dry_run, as_json=as_json)


async def _nothing(_found: Found) -> bool:
    return True


async def _retry(found: Found) -> bool:
    return await found.jobs.retry(found.job)


async def _drop(found: Found) -> bool:
    return await found.jobs.drop(found.job)


def _run(
    data: Path | None, selection: Selection, change: Callable[[Found], Awaitable[bool]]
) -> list[Found]:
    """Change what is selected, through the service's own use case; return what was changed."""
    settings = operator_settings(data)

    async def run() -> list[Found]:
        async with owner_database(settings) as database:
            found = [
                Found(jobs, job)
                for jobs in (FailedJobs(service, database) for service in selection.services)
                for job in await jobs.find(selection.wanted)
            ]
            return [each for each in found[: selection.wanted.limit] if await change(each)]

    return asyncio.run(run())


def _selection(
    job: str | None,
    *,
    service: str | None = None,
    kind: str | None = None,
    tenant: str | None = None,
    since: str | None = None,
    limit: int = 1,
) -> Selection:
    key = None
    if job is not None:
        parts = job.split("/", 3)
        if len(parts) < 4:  # noqa: PLR2004 - service, kind, tenant, key
            raise StartError(f"{job} names no job; `recado jobs list` does.")
        service, kind, tenant, key = parts
    if service is not None and service not in _KINDS:
        raise StartError(f"There is no service {service} with jobs; there is {_and(_KINDS)}.")
    services = tuple(_KINDS) if service is None else (service,)
    kinds = {each for name in services for each in _KINDS[name]}
    if kind is not None and kind not in kinds:
        raise StartError(f"There are no jobs of kind {kind}; there is {_and(kinds)}.")
    wanted = Wanted(limit, kind=kind, key=key)
    if tenant is not None:
        wanted = replace(wanted, tenant=tenant_meant(tenant))
    if since is not None:
        wanted = replace(wanted, since=time_meant(since))
    return Selection(services, wanted)


def _and(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _facts(found: Found) -> dict[str, Any]:
    job = found.job
    return {
        "id": found.name,
        "service": found.jobs.service,
        "kind": job.kind,
        "tenant": str(job.tenant),
        "key": job.key,
        "reason": job.reason,
        "attempts": job.attempts,
        "failed_at": job.failed_at.isoformat(timespec="seconds"),
        "scheduled_at": job.scheduled_at.isoformat(timespec="seconds"),
        "correlation": None if job.correlation is None else str(job.correlation),
    }


def _tell(found: list[Found], done: str, *, dry_run: bool, as_json: bool) -> None:
    names = [each.name for each in found]
    if as_json:
        _print({done: names, "dry_run": dry_run})
        return
    for name in names:
        typer.echo(f"{name} {'would be ' if dry_run else ''}{done}")
    _tell_if_none(found)


def _tell_if_none(found: list[Found]) -> None:
    if not found:
        typer.echo("No failed job matches.")


def _print(document: dict[str, Any] | list[dict[str, Any]]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
