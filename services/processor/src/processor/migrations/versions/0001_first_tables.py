"""Tenants, accounts, contacts, conversations, knowledge; jobs, outbox and dead letters."""

from alembic import op

from common.accounts import create_accounts
from common.broker.schema import create_dead_letters, create_outbox
from common.database.doors import create_roles, tenant_policy
from common.jobs.schema import create_jobs

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
create table tenants (
    tenant_id  {id} not null primary key,
    name       text not null,
    language   text not null,
    created_at {time} not null
);
create table contacts (
    tenant_id    {id} not null references tenants (tenant_id),
    id           {id} not null,
    channel      text not null,
    address      text not null,
    profile_name text,
    created_at   {time} not null,
    primary key (tenant_id, id)
);
create unique index contacts_address on contacts (tenant_id, channel, address);
create table conversations (
    tenant_id   {id} not null,
    id          {id} not null,
    contact_id  {id} not null,
    account_id  {id} not null,
    channel     text not null,
    sender      text not null,
    recipient   text not null,
    state       text not null check (state in ('pending', 'active', 'idle', 'handoff', 'closed')),
    closing     text check (closing in ('contact', 'operator', 'assistant', 'expired', 'failed')),
    version     integer not null,
    next_seq    integer not null,
    previous_id {id},
    opened_at   {time} not null,
    active_at   {time} not null,
    closed_at   {time},
    primary key (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
    check ((state = 'closed') = (closing is not null))
);
create unique index conversations_open on conversations (tenant_id, contact_id, sender) where state <> 'closed';
create index conversations_of_contact on conversations (tenant_id, contact_id, sender, opened_at);
create table turns (
    tenant_id       {id} not null,
    id              {id} not null,
    conversation_id {id} not null,
    opened_at       {time} not null,
    ended_at        {time},
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id)
);
create unique index turns_open on turns (tenant_id, conversation_id) where ended_at is null;
create table messages (
    tenant_id           {id} not null,
    id                  {id} not null,
    conversation_id     {id} not null,
    seq                 integer not null,
    direction           text not null check (direction in ('inbound', 'outbound')),
    account_id          {id} not null,
    provider_message_id text,
    correlation_id      {id} not null,
    text                text not null,
    media               {json} not null,
    attributes          {json} not null,
    sent_at             {time} not null,
    stored_at           {time} not null,
    outcome             text,
    turn_id             {id},
    reply_id            {id},
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, turn_id) references turns (tenant_id, id)
);
create unique index messages_received_once on messages (tenant_id, account_id, provider_message_id) where direction = 'inbound';
create unique index messages_in_order on messages (tenant_id, conversation_id, seq);
create index messages_undecided on messages (tenant_id, conversation_id, seq) where direction = 'inbound' and outcome is null;
create unique index messages_one_reply_a_turn on messages (tenant_id, turn_id) where direction = 'outbound';
create index messages_covered_by on messages (tenant_id, reply_id) where reply_id is not null;
create table reply_deliveries (
    tenant_id           {id} not null,
    message_id          {id} not null,
    part_id             {id} not null,
    status              text not null,
    ordinal             integer not null,
    parts               integer not null,
    at                  {time} not null,
    reason              text,
    error_code          integer,
    provider_message_id text,
    primary key (tenant_id, message_id, part_id, status)
);
create table documents (
    tenant_id  {id} not null references tenants (tenant_id),
    id         {id} not null,
    language   text not null,
    title      text not null,
    keywords   text not null,
    text       text not null,
    updated_at {time} not null,
    primary key (tenant_id, id)
);
create table passages (
    tenant_id   {id} not null,
    id          {id} not null,
    document_id {id} not null,
    ordinal     integer not null,
    language    text not null,
    text        text not null,
    subject     text not null,
    said        text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id) on delete cascade
);
create unique index passages_of_document on passages (tenant_id, document_id, ordinal)
"""

_SEARCH_POSTGRES = """
alter table passages add column search tsvector
    generated always as (
        array_to_tsvector(array_remove(string_to_array(subject || ' ' || said, ' '), ''))
    ) stored
"""

_SEARCH_SQLITE = (
    "create virtual table passage_index using fts5 (tenant_id, passage_id unindexed, stems)",
    """
    create trigger passages_added after insert on passages begin
        insert into passage_index values (new.tenant_id, new.id, new.subject || ' ' || new.said);
    end
    """,
    """
    create trigger passages_removed after delete on passages begin
        delete from passage_index where passage_id = old.id;
    end
    """,
)

# A serving process may read which tenants there are, one at a time, and adds none.
_GRANTS = {"tenants": "select"}
_OF_TENANTS = (
    "tenants",
    "contacts",
    "conversations",
    "turns",
    "messages",
    "reply_deliveries",
    "documents",
    "passages",
)


def upgrade() -> None:
    """Create everything."""
    dialect = op.get_context().dialect.name
    for statement in (*_plumbing(dialect), *_own_tables(dialect)):
        op.get_bind().exec_driver_sql(statement)


def _plumbing(dialect: str) -> tuple[str, ...]:
    return (
        *(create_roles() if dialect == "postgresql" else ()),
        *create_accounts(dialect),
        *create_jobs("processor", dialect),
        *create_outbox("processor", dialect),
        *create_dead_letters("processor", dialect),
    )


def _own_tables(dialect: str) -> tuple[str, ...]:
    if dialect == "sqlite":
        tables = _TABLES.format(id="char(32)", time="bigint", json="json")
        return (*tables.split(";"), *_SEARCH_SQLITE)
    tables = _TABLES.format(id="uuid", time="timestamptz", json="jsonb")
    policies = (
        statement
        for table in _OF_TENANTS
        for statement in tenant_policy(table, _GRANTS.get(table, _READ_AND_WRITE))
    )
    return (*tables.split(";"), _SEARCH_POSTGRES, *policies)


_READ_AND_WRITE = "select, insert, update, delete"
