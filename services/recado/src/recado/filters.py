"""What an operator types to say which rows are meant, in all verbs that list and change rows."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from common.errors import StartError
from common.ids import Ulid, parse_id

TenantId = Annotated[str | None, typer.Option("--tenant", help="Of this tenant.")]
Limit = Annotated[int, typer.Option(min=1, help="So many at most, the earliest first.")]
Data = Annotated[
    Path | None, typer.Option(help="The folder of `recado dev`; else what the environment names.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def tenant_meant(text: str) -> Ulid:
    """Read a tenant's id."""
    try:
        return parse_id(text)
    except ValueError as error:
        raise StartError(f"{text} is not a tenant's id; `recado tenants add` prints it.") from error


def time_meant(text: str) -> datetime:
    """Read a time, or how long ago it was."""
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise StartError(f"{text} is no time: write 30m, 2h, 1d or 2026-01-31T12:00.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
