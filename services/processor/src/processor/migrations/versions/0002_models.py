"""A language model for a tenant, and the address of a server of its own."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "alter table tenants add column model text",
    "alter table tenants add column model_url text check (model_url is null or model is not null)",
)


def upgrade() -> None:
    """Add the columns; tenants that are there have no model."""
    for statement in _STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
