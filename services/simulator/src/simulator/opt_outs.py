"""Who told a sender to stop, as rows. Twilio blocks the pair, not the contact."""

import sqlite3


def opt_out(tx: sqlite3.Connection, sender: str, contact: str) -> bool:
    """Block the pair; False if it was blocked."""
    blocked = tx.execute(
        "INSERT OR IGNORE INTO opt_outs (sender, contact) VALUES (?, ?)", (sender, contact)
    ).rowcount
    return blocked > 0


def opt_in(tx: sqlite3.Connection, sender: str, contact: str) -> bool:
    """Lift the block; False if there was none."""
    lifted = tx.execute(
        "DELETE FROM opt_outs WHERE sender = ? AND contact = ?", (sender, contact)
    ).rowcount
    return lifted > 0


def has_opted_out(tx: sqlite3.Connection, sender: str, contact: str) -> bool:
    """Tell whether the pair is blocked."""
    return (
        tx.execute(
            "SELECT 1 FROM opt_outs WHERE sender = ? AND contact = ?", (sender, contact)
        ).fetchone()
        is not None
    )
