"""What production's database holds at the end, for the judge of `make faults`."""

from collections import Counter

import asyncpg

from tests.faults.judge import Rows


async def read_rows(url: str) -> Rows:
    """Read as a superuser, from whom row-level security hides nothing."""
    connection = await asyncpg.connect(url)
    try:
        inbound = await connection.fetch(
            "select provider_message_id as sid, outcome, reply_id from messages"
            " where direction = 'inbound'"
        )
        parts = await connection.fetch(
            "select id, send_id, state from send_parts order by send_id, ordinal"
        )
    finally:
        await connection.close()
    by_reply: dict[str, list[str]] = {}
    for part in parts:
        by_reply.setdefault(part["send_id"].hex, []).append(part["id"].hex)
    return Rows(
        outcomes={row["sid"]: row["outcome"] for row in inbound},
        replies={row["sid"]: row["reply_id"].hex for row in inbound if row["reply_id"]},
        parts=by_reply,
        states=Counter(part["state"] for part in parts),
    )
