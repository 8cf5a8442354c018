"""What every process reads from its environment, in sections."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, SecretStr


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


class _OwnRetry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int | None = Field(default=None, ge=1)
    first_seconds: float | None = Field(default=None, gt=0)
    longest_seconds: float | None = Field(default=None, gt=0)


class TopicRetry(_OwnRetry):
    """Where a topic's retries differ from those of `BrokerSettings`."""

    budget_seconds: float | None = Field(default=None, gt=0)


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
    retention_hours: int = Field(
        default=168, ge=1, description="How long a new Kafka topic keeps records."
    )
    accept_unsafe: bool = Field(
        default=False,
        description="Outside development, use Kafka topics that may lose records all the same.",
    )
    security: str = Field(
        default="PLAINTEXT",
        pattern="^(SASL_)?(PLAINTEXT|SSL)$",
        description=(
            "Kafka's `security.protocol`: `PLAINTEXT`, `SSL`, `SASL_SSL` or `SASL_PLAINTEXT`."
        ),
    )
    mechanism: str = Field(
        default="SCRAM-SHA-512",
        pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$",
        description="Kafka's `sasl.mechanism`: `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.",
    )
    username: str | None = Field(default=None, description="Who we are to Kafka, with `SASL_…`.")
    password: SecretStr | None = Field(default=None, description="The password that goes with it.")
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of who signs Kafka's certificates; without it, the system's own.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="PEM file of our certificate, for a Kafka that asks for one.",
    )
    key_file: Path | None = Field(
        default=None,
        description="PEM file of its key, not encrypted; without it, in the certificate's file.",
    )
    concurrency: int = Field(
        default=64, ge=1, description="Keys handled at the same time by one consumer."
    )
    per_tenant: int = Field(
        default=16, ge=1, description="Keys of one tenant handled at the same time by one consumer."
    )
    window_records: int = Field(
        default=1000,
        ge=1,
        description="Records read ahead by one consumer; it goes on reading at half of them.",
    )
    window_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1,
        description="Bytes of records read ahead by one consumer; it goes on at half of them.",
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
    retry_budget_seconds: float = Field(
        default=60.0,
        gt=0,
        description="After so long a failing record becomes a dead letter, whatever its attempts.",
    )
    retry_topics: Json[dict[str, TopicRetry]] = Field(
        default_factory=dict[str, TopicRetry],
        description=(
            "Where a topic differs, as JSON: "
            '`{"messages.send": {"attempts": 9, "first_seconds": 1, "longest_seconds": 30, '
            '"budget_seconds": 300}}`.'
        ),
    )
    circuit_window: int = Field(
        default=200,
        ge=1,
        description="Settled records that a consumer looks back at to judge whether it must halt.",
    )
    circuit_count: int = Field(
        default=20, ge=1, description="So many of them may be given up in any case."
    )
    circuit_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description=(
            "A larger share of them, undecodable or of several tenants, and the consumer halts "
            "until an operator closes the circuit."
        ),
    )
    suspend_after: int = Field(
        default=10,
        ge=1,
        description="A tenant that has so many records given up in a row is suspended.",
    )
    slow_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A handler that runs longer is reported with its stack, once.",
    )
    stall_seconds: float = Field(
        default=120.0,
        gt=0,
        description="A consumer that has work and settles nothing for so long is not alive.",
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description=(
            "How long a process that died keeps its share of the records; Kafka takes from 6 "
            "to 1800."
        ),
    )


def _by_comma(names: object) -> object:
    if not isinstance(names, str):
        return names
    return [name.strip() for name in names.split(",") if name.strip()]


class KindRetry(_OwnRetry):
    """Where the retries of a kind of jobs differ from those of `JobSettings`."""


class JobSettings(Section):
    """How jobs inside a service are taken and retried."""

    kinds: Annotated[frozenset[str] | None, BeforeValidator(_by_comma)] = Field(
        default=None,
        description="The kinds that the process runs, by comma; without it, all of its service. "
        "Each kind must be run by some process.",
    )
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
    retry_kinds: Json[dict[str, KindRetry]] = Field(
        default_factory=dict[str, KindRetry],
        description=(
            "Where a kind differs, as JSON: "
            '`{"turn": {"attempts": 5, "first_seconds": 2, "longest_seconds": 60}}`.'
        ),
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
    loop_seconds: float = Field(
        default=5.0,
        gt=0,
        description="An event loop that stands still for so long is logged, and not alive.",
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

    job_kinds: ClassVar[frozenset[str]] = frozenset()
    """The kinds of jobs that a process with these settings can run."""

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
