"""A claim of few due jobs is quick among many that wait; jobs are counted, listed and retried."""

from alembic import op

from common.jobs.schema import let_operate, replace_claim

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the claim, which gives what it gave, and let jobs be seen as a whole."""
    connection = op.get_bind()
    for change in (replace_claim, let_operate):
        for statement in change("processor", connection.dialect.name):
            connection.exec_driver_sql(statement)
