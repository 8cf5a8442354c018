"""The doors through row-level security that jobs need on Postgres: functions of SQL.

A row that waits is claimed before its tenant is known, so these see every tenant's rows; what they
give is ids and numbers.
"""

from common.database.doors import door

# One process claims a kind at a time, so the cap of a tenant is exact; another finds nothing and
# looks again. A lane is a tenant with something due and room for it; they come in turn, from the
# one behind `p_after` once round. Few due rows tell their lanes at once; among many, a walk over
# the tenants that wait has soon met enough.
_CLAIM = """
create or replace function {jobs}_claim(
    p_kind text, p_limit integer, p_cap integer, p_after uuid, p_lease double precision)
returns table (tenant uuid, job_key text, job_token bigint, claims integer, correlation uuid,
    lane integer, late double precision)
language plpgsql as $$
declare
    few constant integer := greatest(64, 4 * p_limit);
    found integer;
    lanes uuid[];
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

    select count(*), array_agg(distinct d.tenant_id) into found, lanes from (
        select j.tenant_id from {jobs} j where j.kind = p_kind and j.token is null
        and j.reason is null and j.due_at <= statement_timestamp()
        order by j.due_at limit few) d;
    if found = 0 then
        return;
    end if;

    if found = few then
        with recursive turn(tenant_id, wrapped) as (
            (select p_after, false)
            union all
            select coalesce(a.tenant_id, b.tenant_id), t.wrapped or a.tenant_id is null
            from turn t
            left join lateral (
                select j.tenant_id from {jobs} j
                where j.kind = p_kind and j.token is null and j.reason is null
                and j.tenant_id > t.tenant_id
                order by j.tenant_id limit 1) a on true
            left join lateral (
                select j.tenant_id from {jobs} j
                where a.tenant_id is null and not t.wrapped
                and j.kind = p_kind and j.token is null and j.reason is null
                order by j.tenant_id limit 1) b on true
            where coalesce(a.tenant_id, b.tenant_id) is not null
            and not ((t.wrapped or a.tenant_id is null)
                and coalesce(a.tenant_id, b.tenant_id) > p_after))
        select array_agg(w.tenant_id) into lanes from (
            select t.tenant_id from (select * from turn offset 1) t
            where p_cap > (
                select count(*) from {jobs} j
                where j.kind = p_kind and j.tenant_id = t.tenant_id and j.token is not null)
            and exists (
                select from {jobs} j where j.kind = p_kind and j.tenant_id = t.tenant_id
                and j.token is null and j.reason is null and j.due_at <= statement_timestamp())
            limit p_limit) w;
    end if;

    select array_agg(t order by t <= p_after, t) into lanes from unnest(lanes) t;

    return query with picked as (
        select p.tenant_id, p.key, p.due_at, l.lane
        from unnest(lanes) with ordinality l(tenant_id, lane)
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
    returning j.tenant_id, j.key, j.token, j.attempts, j.correlation_id, picked.lane::integer,
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

# How much work a service has, for its metrics: numbers by kind, and nobody's id.
_BACKLOG = """
create or replace function {jobs}_backlog(p_kinds text[])
returns table (job_kind text, due bigint, overdue double precision, failed bigint)
language sql as $$
    select k.kind, d.due, coalesce(d.overdue, 0), f.failed
    from unnest(p_kinds) k(kind)
    cross join lateral (
        select count(*) as due,
            extract(epoch from statement_timestamp() - min(j.due_at))::double precision as overdue
        from {jobs} j where j.kind = k.kind and j.token is null and j.reason is null
        and j.due_at <= statement_timestamp()) d
    cross join lateral (
        select count(*) as failed from {jobs} j
        where j.kind = k.kind and j.reason is not null) f
$$
"""


def create_doors(jobs: str) -> tuple[str, ...]:
    """Open those of the claim and of its renewal."""
    return (
        *door(_CLAIM.format(jobs=jobs), jobs + _CLAIM_SIGNATURE),
        *door(_RENEW.format(jobs=jobs), f"{jobs}_renew(bigint[], double precision)"),
    )


def newer_claim(jobs: str) -> tuple[str, ...]:
    """Replace a claim that may give other columns."""
    signature = jobs + _CLAIM_SIGNATURE
    return (f"drop function {signature}", *door(_CLAIM.format(jobs=jobs), signature))


def backlog_door(jobs: str) -> tuple[str, ...]:
    """Let a serving process count what waits."""
    return door(_BACKLOG.format(jobs=jobs), f"{jobs}_backlog(text[])")
