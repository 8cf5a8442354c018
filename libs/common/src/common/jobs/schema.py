"""The tables of a service's jobs, as SQL for its migrations; each string is one statement."""

from common.database.doors import DOORS, door_access, owner_policy, tenant_policy
from common.jobs.postgres_doors import backlog_door, create_doors, newer_claim

_POSTGRES = (
    "create sequence {jobs}_token",
    """
    create table {jobs} (
        tenant_id uuid not null, kind text not null, key text not null,
        due_at timestamptz not null, -- infinity: taken, and nobody asked again
        attempts integer not null default 0,
        lease_until timestamptz, token bigint,
        reason text, failed_at timestamptz,
        correlation_id uuid, scheduled_at timestamptz not null,
        primary key (tenant_id, kind, key)
    ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)
    """,
)

_FAILED = "create index if not exists {jobs}_failed on {jobs} (kind) where reason is not null"

# `lease_until` is in no index, so that a renewal need not touch one.
_INDEXES = (
    """
    create index {jobs}_waiting on {jobs} (kind, tenant_id, due_at)
    where token is null and reason is null
    """,
    "create index {jobs}_due on {jobs} (kind, due_at) where token is null and reason is null",
    "create index {jobs}_leased on {jobs} (kind, tenant_id) where token is not null",
)

_SQLITE = (
    "create table {jobs}_token (n integer not null)",
    "insert into {jobs}_token values (0)",
    """
    create table {jobs} (
        tenant_id char(32) not null, kind text not null, key text not null,
        due_at integer not null, -- microseconds since 1970; the greatest of all: never
        attempts integer not null default 0,
        lease_until integer, token integer,
        reason text, failed_at integer,
        correlation_id char(32), scheduled_at integer not null,
        primary key (tenant_id, kind, key)
    ) without rowid
    """,
)


def create_jobs(service: str, dialect: str) -> tuple[str, ...]:
    """Create what `Jobs(service, …)` works on; on Postgres the roles must be there already."""
    jobs = f"{service}_jobs"
    if dialect == "sqlite":
        tables = (sql.format(jobs=jobs) for sql in (*_SQLITE, *_INDEXES))
        return (*tables, *let_operate(service, dialect))
    return (
        *(sql.format(jobs=jobs) for sql in (*_POSTGRES, *_INDEXES)),
        *tenant_policy(jobs),
        *door_access(jobs, "select"),
        *door_access(jobs, "update", "due_at, attempts, lease_until, token"),
        f"grant usage on sequence {jobs}_token to {DOORS}",
        *create_doors(jobs),
        *let_operate(service, dialect),
    )


def replace_claim(service: str, dialect: str) -> tuple[str, ...]:
    """Bring the claim of a table that is there up to date, though it gives other columns now.

    Processes that run meanwhile must find the columns that they ask for.
    """
    return () if dialect == "sqlite" else newer_claim(f"{service}_jobs")


def let_operate(service: str, dialect: str) -> tuple[str, ...]:
    """Let a service count the jobs of all tenants, and the owner of the table see and retry them.

    Doing it again changes nothing.
    """
    jobs = f"{service}_jobs"
    index = _FAILED.format(jobs=jobs)
    if dialect == "sqlite":
        return (index,)
    return (
        index,
        *backlog_door(jobs),
        f"drop policy if exists owner on {jobs}",
        *owner_policy(jobs),
    )
