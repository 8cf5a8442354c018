"""A claim tells how late each job is."""

from alembic import op

from common.jobs.schema import replace_claim

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the function; processes of the version before may go on calling it."""
    connection = op.get_bind()
    for statement in replace_claim("notifier", connection.dialect.name):
        connection.exec_driver_sql(statement)
