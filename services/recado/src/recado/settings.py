"""Which settings each process reads, and what the operator's verbs read."""

from pathlib import Path
from typing import ClassVar

from sqlalchemy import make_url

from common.errors import StartError
from common.settings import Settings, load
from gateway.settings import GatewaySettings
from notifier.settings import NotifierSettings
from processor.settings import ProcessorSettings
from simulator.settings import SimulatorSettings


class DevelopmentSettings(GatewaySettings, ProcessorSettings, NotifierSettings, SimulatorSettings):
    """Everything in one process."""

    job_kinds: ClassVar[frozenset[str]] = ProcessorSettings.job_kinds | NotifierSettings.job_kinds


class OperatorSettings(Settings):
    """What a verb needs: the database and the keys, no service's section."""

    @property
    def owner_url(self) -> str:
        """Return the address of the role that owns the tables."""
        owner = self.database.admin_url or self.database.url
        return owner.get_secret_value()


def operator_settings(data: Path | None) -> OperatorSettings:
    """Read what a verb needs from the environment, or name what `recado dev` keeps in `data`.

    Raises `StartError` for a file that is not there: SQLite would make an empty one.
    """
    settings = load(OperatorSettings, None if data is None else _kept_in(data.resolve()))
    url = make_url(settings.owner_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise StartError(
            f"There is no database at {url.database}. "
            "Name another with --data, or with RECADO_DATABASE_URL."
        )
    return settings


def _kept_in(data: Path) -> dict[str, str]:
    return {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{data}/recado.db",
        "RECADO_BROKER_URL": f"sqlite:///{data}/broker.db",
    }


PROCESSES: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "processor": ProcessorSettings,
    "notifier": NotifierSettings,
    "simulator": SimulatorSettings,
}
