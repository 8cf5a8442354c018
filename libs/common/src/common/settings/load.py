"""Read a settings model, and refuse what would be unsafe outside development."""

import os
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from common.errors import StartError
from common.settings.model import Environment, Settings
from common.settings.variables import variable_name, variables

SHORTEST_SECRET = 16  # characters
FEWEST_DIFFERENT = 6  # characters
PLACEHOLDERS = ("change", "example", "secret", "password", "placeholder", "your-")

SettingsT = TypeVar("SettingsT", bound=Settings)


def load(model: type[SettingsT], environ: Mapping[str, str] | None = None) -> SettingsT:
    """Read `model` from the environment, or raise a `StartError` that names each wrong variable.

    An empty variable counts as absent.
    """
    given = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for variable in variables(model):
        section = reduce(lambda at, name: at.setdefault(name, {}), variable.path[:-1], values)
        if given.get(variable.name):
            section[variable.path[-1]] = given[variable.name]
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        raise StartError("\n".join(_sentences(error))) from None
    _refuse_unknown_kinds(settings)
    longest_wait = 2 * settings.database.busy_seconds  # for a connection, then for a lock
    if settings.jobs.lease_seconds <= longest_wait:
        raise StartError(
            f"Set RECADO_JOBS_LEASE_SECONDS to more than {longest_wait:g}, twice "
            "RECADO_DATABASE_BUSY_SECONDS: a lease must outlast any wait for the database."
        )
    if settings.environment is not Environment.DEVELOPMENT:
        _refuse_weak_secrets(settings)
    return settings


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        name = variable_name(tuple(str(part) for part in problem["loc"]))
        if problem["type"] == "missing":
            yield f"Set {name}: it has no default."
        else:
            yield f"Mend {name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}."


def _refuse_unknown_kinds(settings: Settings) -> None:
    """Judge what is said of kinds of jobs, where the process has any."""
    known = settings.job_kinds
    said = {"KINDS": settings.jobs.kinds or (), "RETRY_KINDS": settings.jobs.retry_kinds}
    for name, kinds in said.items():
        if known and (unknown := set(kinds) - known):
            raise StartError(
                f"Mend RECADO_JOBS_{name}: this process has no jobs of kind "
                f"{', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}."
            )


def _refuse_weak_secrets(settings: Settings) -> None:
    for variable in variables(type(settings)):
        value: Any = reduce(getattr, variable.path, settings)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            is_url = variable.name.endswith("_URL")
            weakness = _weakness_in_url(secret) if is_url else _weakness(secret.lower())
            if weakness:
                raise StartError(
                    f"Set {variable.name} to a secret of your own: {weakness}, "
                    "which is refused outside development."
                )


def _weakness_in_url(url: str) -> str | None:
    """Judge the password in an address; how long it must be is its server's to say."""
    password = (urlsplit(url).password or "").lower()
    looks = any(word in password for word in PLACEHOLDERS)
    return "its password looks like a placeholder" if looks else None


def _weakness(secret: str) -> str | None:
    if len(secret) < SHORTEST_SECRET:
        return f"it has fewer than {SHORTEST_SECRET} characters"
    if len(set(secret)) < FEWEST_DIFFERENT or any(word in secret for word in PLACEHOLDERS):
        return "it looks like a placeholder"
    return None
