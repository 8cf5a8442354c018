"""`recado deadletters`: see what was given up, and what stands still, and do something about it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from common.broker.dead_letters.letters import Reason
from common.broker.dead_letters.office import Wanted
from common.errors import StartError
from recado import letter_pages as pages
from recado.dead_letter_desk import SERVICES, DeadLetterDesk, Selection, Tally, opened
from recado.filters import Data, DryRun, Json, Limit, TenantId, tenant_meant, time_meant
from recado.settings import operator_settings

app = typer.Typer(
    help="Records that were given up, and what stands still because of them.", no_args_is_help=True
)

T = TypeVar("T")

_NAME = re.compile(rf"({'|'.join(SERVICES)})/(\d{{1,18}})")

Letter = Annotated[str | None, typer.Argument(help="One of them, as `list` names it.")]
Service = Annotated[Literal["processor", "notifier"] | None, typer.Option(help="Else of both.")]
Topic = Annotated[str | None, typer.Option(help="Of this topic.")]
Why = Annotated[Reason | None, typer.Option(help="Given up for this reason.")]
Since = Annotated[str | None, typer.Option(help="Given up since then: 30m, 2h, 1d, or a time.")]
By = Annotated[
    str | None, typer.Option(envvar=["USER", "LOGNAME"], help="Who does it: kept for ever.")
]


@app.command("list")
def list_letters(
    *,
    service: Service = None,
    tenant: TenantId = None,
    topic: Topic = None,
    reason: Why = None,
    since: Since = None,
    limit: Limit = 100,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print them, a line each, without what they say."""
    selection = _selection(
        None,
        service=service,
        tenant=tenant,
        topic=topic,
        reason=reason,
        since=since,
        limit=limit,
    )
    found, more = _run(data, lambda desk: desk.find(selection))
    if as_json:
        typer.echo(pages.as_json([pages.summary_of(each) for each in found]))
        return
    for each in found:
        typer.echo(pages.line_of(each))
    if not found:
        typer.echo("No dead letter matches.")
    _tell_of_more(more=more)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="As `list` names it.")],
    data: Data = None,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="What the customer wrote, too.")] = False,
) -> None:
    """Print one as JSON: its headers, why it was given up, and its body, masked."""
    found, _ = _run(data, lambda desk: desk.find(_selection(letter)))
    if not found:
        raise StartError(f"There is no dead letter {letter}.")
    typer.echo(pages.as_json(pages.page_of(found[0], reveal=reveal)))


@app.command()
def replay(
    letter: Letter = None,
    *,
    service: Service = None,
    tenant: TenantId = None,
    topic: Topic = None,
    reason: Why = None,
    since: Since = None,
    limit: Limit = 100,
    rate: Annotated[float, typer.Option(min=0.01, help="So many a second at most.")] = 20.0,
    cap: Annotated[int, typer.Option(min=1, help="None that was replayed so often.")] = 3,
    by: By = None,
    data: Data = None,
    again: Annotated[bool, typer.Option("--again", help="However often it was.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hand them to their topic again, behind what is there; what was done is not done twice."""
    selection = _selection(
        letter,
        service=service,
        tenant=tenant,
        topic=topic,
        reason=reason,
        since=since,
        limit=limit,
    )
    most = None if again else cap
    tally = _run(
        data,
        lambda desk: desk.replay(selection, cap=most, rate=rate, dry_run=dry_run),
        by=by,
        acts=not dry_run,
    )
    _tell(tally, "replayed", dry_run=dry_run, as_json=as_json)


@app.command()
def discard(
    letter: Letter = None,
    *,
    service: Service = None,
    tenant: TenantId = None,
    topic: Topic = None,
    reason: Why = None,
    since: Since = None,
    limit: Limit = 100,
    by: By = None,
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="More than one.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Forget them for good."""
    selection = _selection(
        letter,
        service=service,
        tenant=tenant,
        topic=topic,
        reason=reason,
        since=since,
        limit=limit,
    )
    tally = _run(
        data,
        lambda desk: desk.discard(selection, several=yes, dry_run=dry_run),
        by=by,
        acts=not dry_run,
    )
    _tell(tally, "discarded", dry_run=dry_run, as_json=as_json)


@app.command()
def halts(data: Data = None, *, as_json: Json = False) -> None:
    """Print what stands still until somebody resumes it, and why."""
    standing = _run(data, lambda desk: desk.halts())
    if as_json:
        typer.echo(pages.as_json([pages.halt_facts(*each) for each in standing]))
        return
    for each in standing:
        typer.echo(pages.halt_line(*each))
    if not standing:
        typer.echo("Nothing stands still.")


@app.command()
def resume(
    tenant: Annotated[str | None, typer.Argument(help="A suspended tenant.")] = None,
    service: Service = None,
    by: By = None,
    data: Data = None,
    *,
    consumer: Annotated[bool, typer.Option("--consumer", help="A halted consumer.")] = False,
) -> None:
    """Let a suspended tenant go on, first what waits of it; or a halted consumer."""
    if consumer is (tenant is not None):
        raise StartError("Name a tenant, or add --consumer.")
    services = _services(service)
    if tenant is None:
        resumed = _run(data, lambda desk: desk.resume_consumer(services), by=by, acts=True)
    else:
        whom = tenant_meant(tenant)
        resumed = _run(data, lambda desk: desk.resume_tenant(whom, services), by=by, acts=True)
    if not resumed:
        raise StartError(f"Nothing of {'the consumers' if consumer else tenant} stands still.")
    typer.echo(f"Resumed: {', '.join(resumed)}.")


def _run(
    data: Path | None,
    work: Callable[[DeadLetterDesk], Awaitable[T]],
    *,
    by: str | None = None,
    acts: bool = False,
) -> T:
    if acts and not by:
        raise StartError("Say who you are, for the record: add --by NAME.")

    async def run() -> T:
        async with opened(operator_settings(data), by or "") as desk:
            return await work(desk)

    return asyncio.run(run())


def _selection(
    letter: str | None,
    *,
    service: str | None = None,
    tenant: str | None = None,
    topic: str | None = None,
    reason: Reason | None = None,
    since: str | None = None,
    limit: int = 1,
) -> Selection:
    seq: int | None = None
    if letter is not None:
        named = _NAME.fullmatch(letter)
        if named is None:
            raise StartError(f"{letter} names no dead letter; `recado deadletters list` does.")
        service, seq = named[1], int(named[2])
    wanted = Wanted(
        limit=limit,
        seq=seq,
        tenant=None if tenant is None else tenant_meant(tenant),
        topic=topic,
        reason=reason,
        since=None if since is None else time_meant(since),
    )
    return Selection(wanted, _services(service))


def _services(service: str | None) -> tuple[str, ...]:
    return SERVICES if service is None else (service,)


def _tell(tally: Tally, done: str, *, dry_run: bool, as_json: bool) -> None:
    """Say what became of them; some that were refused make the exit code 1."""
    would = "would be " if dry_run else ""
    if as_json:
        typer.echo(pages.as_json({done: tally.done, "refused": tally.refused, "more": tally.more}))
    elif not tally.done and not tally.refused:
        typer.echo("No dead letter matches.")
    else:
        names = f": {', '.join(tally.done)}" if dry_run and tally.done else ""
        typer.echo(f"{len(tally.done)} {would}{done}{names}.")
        for name, why in tally.refused.items():
            typer.echo(f"{name} is left as it is: {why}.", err=True)
        _tell_of_more(more=tally.more)
    if tally.refused:
        raise typer.Exit(1)


def _tell_of_more(*, more: bool) -> None:
    if more:
        typer.echo("More of them match: say how many with --limit.", err=True)
