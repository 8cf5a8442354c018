"""Row-level security as SQL for migrations: two roles, a tenant's policy, the doors through it.

A serving process logs in as a member of `recado_serving` and sees the rows of the tenant that its
transaction has set, and no others. A door is a function that it may call before a tenant is known:
it runs as `recado_doors`, which nobody can log in as and which sees what `door_access` gives it.

All of it is for Postgres, run by a superuser or by a role that owns the database and may create
roles. Each string is one statement, since asyncpg takes no more at once.
"""

SERVING = "recado_serving"
DOORS = "recado_doors"

_OWN_ROWS = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def create_roles() -> tuple[str, ...]:
    """Create both roles unless the server has them: they are shared by all of its databases."""
    return (
        _create_role(SERVING),
        _create_role(DOORS),
        f"""do $$ begin
            execute format('grant usage on schema %I to {SERVING}, {DOORS}', current_schema());
        end $$""",
    )


def tenant_policy(table: str, grants: str = "select, insert, update, delete") -> tuple[str, ...]:
    """Show each tenant its own rows only; without a tenant there are none, not even the owner's."""
    return (
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy tenant on {table} using ({_OWN_ROWS}) with check ({_OWN_ROWS})",
        f"grant {grants} on {table} to {SERVING}",
    )


def owner_policy(table: str) -> tuple[str, ...]:
    """Show every row to the role that migrates: the operator's verbs span tenants as nobody else.

    It owns the table and could lift row-level security anyway; no serving process logs in as it.
    """
    return (f"create policy owner on {table} to current_user using (true) with check (true)",)


def door_access(table: str, command: str, columns: str = "") -> tuple[str, ...]:
    """Let the doors `select`, `insert` or `update` every tenant's rows, or some columns of them."""
    conditions = {"select": "using (true)", "insert": "with check (true)"}
    condition = conditions.get(command, "using (true) with check (true)")
    granted = f"{command} ({columns})" if columns else command
    return (
        f"create policy doors_{command} on {table} for {command} to {DOORS} {condition}",
        f"grant {granted} on {table} to {DOORS}",
    )


def door(function: str, signature: str) -> tuple[str, ...]:
    """Open one door.

    `function` is its `create or replace function …`; `signature` its name and arguments, as in
    `account_tenant(account uuid)`. Whatever `function` says, it becomes a `security definer` whose
    search path no caller can bend, and only `recado_serving` may call it.
    """
    return (
        # a function's new owner must have its old one as a member, and may create in the schema
        f"""do $$ begin
            if not pg_has_role(current_user, '{DOORS}', 'usage') then
                grant {DOORS} to current_user;
            end if;
            execute format('grant create on schema %I to {DOORS}', current_schema());
        end $$""",
        function,
        f"""do $$ begin
            execute format(
                'alter function {signature} security definer set search_path = %I, pg_temp',
                current_schema());
        end $$""",
        f"alter function {signature} owner to {DOORS}",
        f"revoke all on function {signature} from public",
        f"grant execute on function {signature} to {SERVING}",
        f"""do $$ begin
            execute format('revoke create on schema %I from {DOORS}', current_schema());
            if exists (select from pg_auth_members where roleid = '{DOORS}'::regrole
                       and member = current_user::regrole and grantor = member) then
                revoke {DOORS} from current_user;
            end if;
        end $$""",  # noqa: S608 - the role's name is the constant above
    )


def _create_role(role: str) -> str:
    return f"""do $$ begin
        if not exists (select from pg_roles where rolname = '{role}') then
            create role {role} nologin;
        end if;
    exception when duplicate_object or unique_violation then
        null; -- the migration of another database was quicker
    end $$"""
