"""The one way to load settings: a frozen model from an environment that is handed in.

A variable's name is `RECADO_` and the path of the field: `RECADO_DATABASE_URL` is
`settings.database.url`, `RECADO_GATEWAY_PUBLIC_URL` is `settings.gateway.public_url`. Only `load`
reads the environment, called by `__main__`.
"""

from common.settings.load import load
from common.settings.model import (
    BrokerSettings,
    DatabaseSettings,
    Environment,
    HealthSettings,
    JobSettings,
    KindRetry,
    LogSettings,
    SecretSettings,
    Section,
    Settings,
    TopicRetry,
    TracingSettings,
)
from common.settings.variables import Variable, variables

__all__ = [
    "BrokerSettings",
    "DatabaseSettings",
    "Environment",
    "HealthSettings",
    "JobSettings",
    "KindRetry",
    "LogSettings",
    "SecretSettings",
    "Section",
    "Settings",
    "TopicRetry",
    "TracingSettings",
    "Variable",
    "load",
    "variables",
]
