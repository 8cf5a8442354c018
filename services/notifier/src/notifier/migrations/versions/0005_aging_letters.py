"""Dead letters are counted, and the oldest is known, whosever they are."""

from alembic import op

from common.broker.schema import count_dead_letters

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a serving process count those of all tenants."""
    connection = op.get_bind()
    for statement in count_dead_letters("notifier", connection.dialect.name):
        connection.exec_driver_sql(statement)
