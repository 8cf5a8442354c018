"""Alembic's way into the notifier's history; `common.database.migrations` opens the connection."""

from common.database.migrations import run_history

run_history("notifier_alembic")
