"""Which settings each process reads, and what the operator's verbs read."""

from common.settings import Settings
from gateway.settings import GatewaySettings
from notifier.settings import NotifierSettings
from processor.settings import ProcessorSettings
from simulator.settings import SimulatorSettings


class DevelopmentSettings(GatewaySettings, ProcessorSettings, NotifierSettings, SimulatorSettings):
    """Everything in one process."""


class OperatorSettings(Settings):
    """What a verb needs: the database and the keys, no service's section."""

    @property
    def owner_url(self) -> str:
        """Return the address of the role that owns the tables."""
        owner = self.database.admin_url or self.database.url
        return owner.get_secret_value()


PROCESSES: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "processor": ProcessorSettings,
    "notifier": NotifierSettings,
    "simulator": SimulatorSettings,
}
