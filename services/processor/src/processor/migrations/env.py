"""Run by Alembic inside `common.database.migrations.upgrade`."""

from common.database.migrations import run_history

run_history("processor_alembic")
