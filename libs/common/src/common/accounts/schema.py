"""The tables of this package as SQL, for the processor's migrations: one statement a string.

On Postgres `account_tenant(account)` is a door through row-level security: it turns the id in a
webhook's path into the tenant to set, and gives away nothing else.
"""

from common.database.doors import door, door_access, tenant_policy


def create_accounts(dialect: str) -> tuple[str, ...]:
    """Create both tables on `postgresql` (with policies and the door) or `sqlite`."""
    return _POSTGRES if dialect == "postgresql" else _SQLITE


_TABLES = """
create table channel_accounts (
    id          {id} primary key,
    tenant_id   {id} not null,
    account_sid text not null,
    auth_tokens {bytes} not null,
    api_key     text,
    api_secret  {bytes},
    key_id      text not null,
    senders     {json} not null,
    created_at  {time} not null,
    unique (tenant_id, account_sid)
);
create table contact_permissions (
    tenant_id       {id} not null,
    sender          text not null,
    address         text not null,
    opted_out_at    {time},
    last_inbound_at {time},
    primary key (tenant_id, sender, address)
)
"""


def _tables(**types: str) -> tuple[str, ...]:
    return tuple(_TABLES.format(**types).split(";"))


_SQLITE = _tables(id="char(32)", bytes="blob", json="json", time="bigint")

_POSTGRES = (
    *_tables(id="uuid", bytes="bytea", json="jsonb", time="timestamptz"),
    *tenant_policy("channel_accounts"),
    *tenant_policy("contact_permissions"),
    *door_access("channel_accounts", "select", "id, tenant_id"),
    *door(
        """
        create or replace function account_tenant(account uuid) returns uuid
        language sql stable
        begin atomic
            select tenant_id from channel_accounts where id = account;
        end
        """,
        "account_tenant(account uuid)",
    ),
)
