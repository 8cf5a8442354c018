"""What every process reads from its environment, in sections."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Environment(StrEnum):
    """Where the process runs. Everything but `development` is held to production's rules."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Section(BaseModel):
    """A group of settings; its fields' variables start with the section's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(Section):
    """Where the rows live."""

    url: SecretStr = Field(
        default=SecretStr("sqlite:///var/recado.db"),
        description="`postgresql://user:password@host/name` or `sqlite:///path/to/file.db`.",
    )
    admin_url: SecretStr | None = Field(
        default=None,
        description="The owner's address, for `recado migrate` and the like; no service gets it.",
    )
    pool_size: int = Field(default=10, ge=1, description="Connections a process keeps to Postgres.")
    busy_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How long a statement waits for a lock or a connection.",
    )


class BrokerSettings(Section):
    """What carries events between services, and how stubborn its consumers are."""

    url: str = Field(
        default="sqlite:///var/broker.db",
        description=(
            "`kafka://host:port[,host:port][/prefix]`, `sqlite:///path/to/file.db` or `memory:`."
        ),
    )
    partitions: int = Field(
        default=12,
        ge=1,
        description="Partitions of a new Kafka topic; fixed for ever after.",
    )
    replication: int = Field(
        default=1, ge=1, description="Copies of a new Kafka topic; 3 in production."
    )
    concurrency: int = Field(
        default=64, ge=1, description="Keys handled at the same time by one consumer."
    )
    retry_attempts: int = Field(
        default=6, ge=1, description="Attempts before a record becomes a dead letter."
    )
    retry_first_seconds: float = Field(
        default=0.2, gt=0, description="Upper end of the first back-off."
    )
    retry_longest_seconds: float = Field(
        default=10.0, gt=0, description="Upper end of every later back-off."
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a taken record of the sqlite transport stays taken unless renewed.",
    )


class JobSettings(Section):
    """How jobs inside a service are taken and retried."""

    concurrency: int = Field(
        default=16, ge=1, description="Jobs run at the same time by one process."
    )
    per_tenant: int = Field(
        default=4,
        ge=1,
        description="Jobs of one kind and tenant that run at the same time.",
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a job is held unless renewed; longer than any wait for the database.",
    )
    poll_seconds: float = Field(
        default=0.5,
        gt=0,
        description="How often a process looks for jobs that nobody told it of.",
    )
    retry_attempts: int = Field(default=8, ge=1, description="Attempts before a job is failed.")
    retry_first_seconds: float = Field(
        default=1.0, gt=0, description="Upper end of the first back-off."
    )
    retry_longest_seconds: float = Field(
        default=300.0, gt=0, description="Upper end of every later back-off."
    )


class LogSettings(Section):
    """How the process speaks."""

    level: str = Field(default="info", description="`debug`, `info`, `warning` or `error`.")
    format: str = Field(
        default="auto",
        pattern="^(auto|json|console)$",
        description="`auto` is colours on a terminal and JSON elsewhere.",
    )


class TracingSettings(Section):
    """Where spans go."""

    endpoint: str | None = Field(
        default=None,
        description="OTLP over HTTP: `http://collector:4318/v1/traces`; without it, no spans.",
    )
    ratio: float = Field(default=0.05, ge=0, le=1, description="Share of new traces that are kept.")


class HealthSettings(Section):
    """Where `/livez`, `/readyz` and `/metrics` of a worker answer."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` in a pod.")
    port: int = Field(
        default=9100,
        ge=0,
        le=65535,
        description="Port to listen on; 0 takes a free one.",
    )


class SecretSettings(Section):
    """Keys that Recado itself needs."""

    encryption_keys: SecretStr | None = Field(
        default=None,
        description="Pairs `id:base64` of 32-byte AES keys, by comma; the first encrypts.",
    )


class Settings(BaseModel):
    """What every process reads. A service adds a section of its own, named like the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Environment = Field(
        default=Environment.PRODUCTION,
        description="`development`, `staging` or `production`; only `development` relaxes a rule.",
    )
    drain_seconds: float = Field(
        default=20.0,
        ge=0,
        description="How long a stopping process may finish what it holds.",
    )
    database: DatabaseSettings = DatabaseSettings()
    broker: BrokerSettings = BrokerSettings()
    jobs: JobSettings = JobSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    health: HealthSettings = HealthSettings()
    secrets: SecretSettings = SecretSettings()
