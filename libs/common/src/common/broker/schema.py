"""The broker's tables as SQL, for the migrations of the services that write them."""

from common.database.doors import SERVING, door, door_access, owner_policy, tenant_policy


def create_outbox(service: str, dialect: str) -> tuple[str, ...]:
    """Create `<service>_outbox` on `postgresql` or `sqlite`; one statement a string.

    No `seq` is ever used twice, so that a process which publishes late cannot forget another's row.
    """
    table = f"{service}_outbox"
    of_key = f"create index {table}_of_key on {table} (tenant_id, key_id, seq)"
    if dialect == "sqlite":
        return (_OUTBOX.format(table=table, **_SQLITE), of_key)
    return (
        _OUTBOX.format(table=table, **_POSTGRES),
        of_key,
        *tenant_policy(table, "select, insert, delete"),
    )


def create_dead_letters(service: str, dialect: str) -> tuple[str, ...]:
    """Create `<service>_dead_letters`, and on Postgres the door for those without a tenant."""
    table = f"{service}_dead_letters"
    if dialect == "sqlite":
        return (_DEAD_LETTERS.format(table=table, **_SQLITE),)
    columns = ", ".join(name for name, _ in _ARGUMENTS)
    types = ", ".join(kind for _, kind in _ARGUMENTS)
    insert = f"{service}_dead_letter_insert"
    function = _DEAD_LETTER_INSERT.format(
        function=insert,
        arguments=", ".join(f"{name} {kind}" for name, kind in _ARGUMENTS),
        table=table,
        columns=columns,
        values=", ".join(f"${number}" for number, _ in enumerate(_ARGUMENTS, 1)),
    )
    return (
        _DEAD_LETTERS.format(table=table, **_POSTGRES),
        *tenant_policy(table, "select, insert, delete"),
        *door_access(table, "insert", columns),
        *door(function, f"{insert}({types})"),
    )


def number_dead_letters(service: str, dialect: str) -> tuple[str, ...]:
    """Give each of `<service>_dead_letters` a `seq` that grows, those that are there included.

    From then on the owner of the tables sees the letters of all tenants.
    """
    table = f"{service}_dead_letters"
    suspended = f"""
        create index {table}_suspended on {table} (tenant_id, seq) where reason = 'suspended'
    """
    if dialect == "sqlite":
        columns = ", ".join(("tenant_id", *(name for name, _ in _ARGUMENTS)))
        return (
            _NUMBERED_DEAD_LETTERS.format(table=table, **_SQLITE),
            _NUMBER.format(table=table, columns=columns),
            f"drop table {table}",
            f"alter table {table}_numbered rename to {table}",
            suspended,
        )
    return (
        f"alter table {table} add column seq bigint generated always as identity unique",
        suspended,
        *owner_policy(table),
    )


def count_dead_letters(service: str, dialect: str) -> tuple[str, ...]:
    """Let a serving process count `<service>_dead_letters` of all tenants; it sees none of them."""
    table = f"{service}_dead_letters"
    counted = "topic, reason, last_failed_at"
    index = f"create index {table}_counted on {table} ({counted})"
    if dialect == "sqlite":
        return (index,)
    function = f"{table}_backlog()"
    return (
        index,
        *door_access(table, "select", counted),
        *door(_DEAD_LETTERS_BACKLOG.format(function=function, table=table), function),
    )


def create_halts(service: str, dialect: str) -> tuple[str, ...]:
    """Create `<service>_halts`: a row for each suspended tenant, one without for the consumer.

    A serving process sees the row of its transaction's tenant, and always the consumer's.
    """
    table = f"{service}_halts"
    once = (
        f"create unique index {table}_of_tenant on {table} (tenant_id)",
        f"""
        create unique index {table}_of_consumer on {table} ((tenant_id is null))
        where tenant_id is null
        """,
    )
    if dialect == "sqlite":
        return (_HALTS.format(table=table, **_SQLITE), *once)
    return (
        _HALTS.format(table=table, **_POSTGRES),
        *once,
        *tenant_policy(table),
        f"""
        create policy consumer on {table} to {SERVING}
        using (tenant_id is null) with check (tenant_id is null)
        """,
        *owner_policy(table),
    )


def create_dead_letter_actions(service: str, dialect: str) -> tuple[str, ...]:
    """Create `<service>_dead_letter_actions`: what an operator did about them, for ever."""
    table = f"{service}_dead_letter_actions"
    if dialect == "sqlite":
        return (_ACTIONS.format(table=table, **_SQLITE),)
    return (
        _ACTIONS.format(table=table, **_POSTGRES),
        *tenant_policy(table, "select"),
        *owner_policy(table),
    )


_OUTBOX = """
create table {table} (
    seq       {sequence},
    tenant_id {id} not null,
    key_id    {id} not null,
    topic     text not null,
    key       text not null,
    headers   text not null,
    value     {bytes} not null
)
"""

_LETTER = """
    topic           text not null,
    record_id       text not null,
    tenant_id       {id},
    key             text not null,
    headers         text not null,
    value           {bytes} not null,
    reason          text not null,
    error_class     text not null,
    detail          text not null,
    attempts        integer not null,
    first_failed_at {time} not null,
    last_failed_at  {time} not null
"""

_DEAD_LETTERS = f"create table {{table}} ({_LETTER}, primary key (topic, record_id))"

_NUMBERED_DEAD_LETTERS = (
    f"create table {{table}}_numbered (seq {{sequence}}, {_LETTER}, unique (topic, record_id))"
)

_NUMBER = """
insert into {table}_numbered ({columns}) select {columns} from {table} order by rowid
"""

_HALTS = """
create table {table} (
    tenant_id {id},
    reason    text not null,
    state     text not null check (state in ('suspended', 'resuming')),
    since     {time} not null
)
"""

_ACTIONS = """
create table {table} (
    seq       {sequence},
    action    text not null,
    topic     text,
    record_id text,
    event_id  {id},
    tenant_id {id},
    operator  text not null,
    at        {time} not null
)
"""

_DEAD_LETTER_INSERT = """
create or replace function {function}({arguments}) returns void language sql begin atomic
    insert into {table} ({columns}) values ({values}) on conflict do nothing;
end
"""

_DEAD_LETTERS_BACKLOG = """
create or replace function {function}
returns table (topic text, reason text, kept bigint, oldest timestamptz)
language sql as $$
    select l.topic, l.reason, count(*), min(l.last_failed_at)
    from {table} l group by l.topic, l.reason
$$
"""

_POSTGRES = {
    "sequence": "bigint generated always as identity primary key",
    "id": "uuid",
    "bytes": "bytea",
    "time": "timestamptz",
}

_SQLITE = {
    "sequence": "integer primary key autoincrement",
    "id": "char(32)",
    "bytes": "blob",
    "time": "bigint",
}

_ARGUMENTS = (
    ("topic", "text"),
    ("record_id", "text"),
    ("key", "text"),
    ("headers", "text"),
    ("value", "bytea"),
    ("reason", "text"),
    ("error_class", "text"),
    ("detail", "text"),
    ("attempts", "integer"),
    ("first_failed_at", "timestamptz"),
    ("last_failed_at", "timestamptz"),
)
