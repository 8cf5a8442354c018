"""The tables of a service's jobs, as SQL for its migrations; each string is one statement."""

from common.database.doors import DOORS, door, door_access, tenant_policy

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

# `lease_until` is in no index, so that a renewal need not touch one.
_INDEXES = (
    """
    create index {jobs}_waiting on {jobs} (kind, tenant_id, due_at)
    where token is null and reason is null
    """,
    "create index {jobs}_due on {jobs} (kind, due_at) where token is null and reason is null",
    "create index {jobs}_leased on {jobs} (kind, tenant_id) where token is not null",
)

# One process claims a kind at a time, so the cap of a tenant is exact; another finds nothing and
# looks again. Lanes are the tenants that wait, from the one behind `p_after` once round.
_CLAIM = """
create or replace function {jobs}_claim(
    p_kind text, p_limit integer, p_cap integer, p_after uuid, p_lease double precision)
returns table (tenant uuid, job_key text, job_token bigint, claims integer, correlation uuid,
    lane integer, late double precision)
language plpgsql as $$
begin
    if not pg_try_advisory_xact_lock(hashtext('{jobs}'), hashtext(p_kind)) then
        return;
    end if;

    with lost as (
        select j.tenant_id, j.kind, j.key from {jobs} j
        where j.kind = p_kind and j.token is not null and j.lease_until < statement_timestamp()
        for update skip locked)
    update {jobs} j
    set token = null, lease_until = null, due_at = least(j.due_at, statement_timestamp())
    from lost where (j.tenant_id, j.kind, j.key) = (lost.tenant_id, lost.kind, lost.key);

    if not exists (
        select from {jobs} j where j.kind = p_kind and j.token is null and j.reason is null
        and j.due_at <= statement_timestamp()) then
        return;
    end if;

    return query with recursive lanes(tenant_id, wrapped, lane) as (
        (select p_after, false, 0)
        union all
        select coalesce(a.tenant_id, b.tenant_id), l.wrapped or a.tenant_id is null, l.lane + 1
        from lanes l
        left join lateral (
            select j.tenant_id from {jobs} j
            where j.kind = p_kind and j.token is null and j.reason is null
            and j.tenant_id > l.tenant_id
            order by j.tenant_id limit 1) a on true
        left join lateral (
            select j.tenant_id from {jobs} j
            where a.tenant_id is null and not l.wrapped
            and j.kind = p_kind and j.token is null and j.reason is null
            order by j.tenant_id limit 1) b on true
        where coalesce(a.tenant_id, b.tenant_id) is not null
        and not ((l.wrapped or a.tenant_id is null)
            and coalesce(a.tenant_id, b.tenant_id) > p_after)),
    picked as (
        select p.tenant_id, p.key, p.due_at, l.lane
        from (select * from lanes offset 1) l
        cross join lateral (
            select j.tenant_id, j.key, j.due_at from {jobs} j
            where j.kind = p_kind and j.tenant_id = l.tenant_id
            and j.token is null and j.reason is null and j.due_at <= statement_timestamp()
            order by j.due_at
            limit greatest(0, p_cap - (
                select count(*) from {jobs} r
                where r.kind = p_kind and r.tenant_id = l.tenant_id and r.token is not null))
            for update skip locked) p
        limit p_limit)
    update {jobs} j
    set token = nextval('{jobs}_token'), due_at = 'infinity', attempts = j.attempts + 1,
        lease_until = clock_timestamp() + make_interval(secs => p_lease)
    from picked
    where j.tenant_id = picked.tenant_id and j.kind = p_kind and j.key = picked.key
    returning j.tenant_id, j.key, j.token, j.attempts, j.correlation_id, picked.lane,
        extract(epoch from statement_timestamp() - picked.due_at)::double precision;
end $$
"""

_CLAIM_SIGNATURE = "_claim(text, integer, integer, uuid, double precision)"

# It locks many rows in no order, so it must not wait for any of them.
_RENEW = """
create or replace function {jobs}_renew(p_tokens bigint[], p_lease double precision)
returns setof bigint
language sql as $$
    with held as (
        select tenant_id, kind, key from {jobs} where token = any(p_tokens)
        for update skip locked)
    update {jobs} j set lease_until = clock_timestamp() + make_interval(secs => p_lease)
    from held where (j.tenant_id, j.kind, j.key) = (held.tenant_id, held.kind, held.key)
    returning j.token
$$
"""

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
        return tuple(sql.format(jobs=jobs) for sql in (*_SQLITE, *_INDEXES))
    return (
        *(sql.format(jobs=jobs) for sql in (*_POSTGRES, *_INDEXES)),
        *tenant_policy(jobs),
        *door_access(jobs, "select"),
        *door_access(jobs, "update", "due_at, attempts, lease_until, token"),
        f"grant usage on sequence {jobs}_token to {DOORS}",
        *door(_CLAIM.format(jobs=jobs), jobs + _CLAIM_SIGNATURE),
        *door(_RENEW.format(jobs=jobs), f"{jobs}_renew(bigint[], double precision)"),
    )


def replace_claim(service: str, dialect: str) -> tuple[str, ...]:
    """Bring the claim of a table that is there up to date, though it gives other columns now.

    Processes that run meanwhile must find the columns that they ask for.
    """
    jobs = f"{service}_jobs"
    if dialect == "sqlite":
        return ()
    signature = jobs + _CLAIM_SIGNATURE
    return (f"drop function {signature}", *door(_CLAIM.format(jobs=jobs), signature))
