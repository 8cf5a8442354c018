"""Sends and their parts, and the notifier's jobs, outbox and dead letters."""

from alembic import op

from common.broker.schema import create_dead_letters, create_outbox
from common.database.doors import create_roles, tenant_policy
from common.jobs.schema import create_jobs

revision = "0001"
down_revision = None

_TABLES = """
create table sends (
    tenant_id      {id} not null,
    id             {id} not null,
    channel        text not null,
    parts          integer not null,
    not_after      {time} not null,
    accepted_at    {time} not null,
    correlation_id {id} not null,
    primary key (tenant_id, id)
);
create table send_parts (
    tenant_id           {id} not null,
    id                  {id} not null,
    send_id             {id} not null,
    ordinal             integer not null,
    account             {id} not null,
    sender              text not null,
    recipient           text not null,
    place               bigint not null,
    text                text not null,
    state               text not null,
    not_before          {time} not null,
    claim_token         bigint,
    claimed_at          {time},
    provider_message_id text,
    statuses            {json} not null,
    conflict            boolean not null,
    looks               integer not null,
    resends             integer not null,
    reason              text,
    error_code          integer,
    primary key (tenant_id, id),
    unique (tenant_id, send_id, ordinal),
    unique (tenant_id, sender, recipient, place),
    unique (tenant_id, account, provider_message_id),
    foreign key (tenant_id, send_id) references sends (tenant_id, id)
);
create index send_parts_open on send_parts (tenant_id, sender, recipient, place)
    where state in ('waiting', 'claimed', 'uncertain');
create index send_parts_claimed on send_parts (tenant_id, sender, claimed_at)
"""


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in _statements(dialect):
        connection.exec_driver_sql(statement)


def _statements(dialect: str) -> tuple[str, ...]:
    plumbing = (
        *create_jobs("notifier", dialect),
        *create_outbox("notifier", dialect),
        *create_dead_letters("notifier", dialect),
    )
    if dialect == "sqlite":
        return (*_tables(id="char(32)", time="bigint", json="json"), *plumbing)
    return (
        *create_roles(),
        *_tables(id="uuid", time="timestamptz", json="jsonb"),
        *tenant_policy("sends"),
        *tenant_policy("send_parts"),
        *plumbing,
    )


def _tables(**types: str) -> tuple[str, ...]:
    return tuple(_TABLES.format(**types).split(";"))
