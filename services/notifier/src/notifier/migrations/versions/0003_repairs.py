"""Dead letters in sequence, what is halted, and what an operator did about both."""

from alembic import op

from common.broker.schema import (
    create_dead_letter_actions,
    create_halts,
    number_dead_letters,
)

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them; processes of the version before go on writing dead letters as they did."""
    connection = op.get_bind()
    for create in (number_dead_letters, create_halts, create_dead_letter_actions):
        for statement in create("notifier", connection.dialect.name):
            connection.exec_driver_sql(statement)
