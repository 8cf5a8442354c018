"""The fault plan, kept with the ledger: it is drawn from in the transactions that it disturbs."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from simulator.faults import Draw, FaultPlan


def fault_plan(tx: sqlite3.Connection) -> FaultPlan:
    """Give the plan as it stands; an empty one if none was set."""
    row = tx.execute("SELECT plan FROM fault_plan").fetchone()
    return FaultPlan.model_validate_json(row["plan"]) if row else FaultPlan()


def put_fault_plan(tx: sqlite3.Connection, plan: FaultPlan) -> None:
    """Replace the plan as a whole."""
    tx.execute(
        "INSERT INTO fault_plan (id, plan) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET plan = excluded.plan",
        (plan.model_dump_json(),),
    )


@contextmanager
def drawing(tx: sqlite3.Connection, *, seed: int) -> Generator[Draw]:
    """Draw from the plan, and keep what is left of it."""
    plan = fault_plan(tx)
    draw = Draw(plan, seed=seed)
    yield draw
    if draw.plan is not plan:
        put_fault_plan(tx, draw.plan)
