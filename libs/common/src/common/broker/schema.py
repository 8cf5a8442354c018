"""The broker's tables as SQL, for the migrations of the services that write them."""

from common.database.doors import door, door_access, tenant_policy


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

_DEAD_LETTERS = """
create table {table} (
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
    last_failed_at  {time} not null,
    primary key (topic, record_id)
)
"""

_DEAD_LETTER_INSERT = """
create or replace function {function}({arguments}) returns void language sql begin atomic
    insert into {table} ({columns}) values ({values}) on conflict do nothing;
end
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
