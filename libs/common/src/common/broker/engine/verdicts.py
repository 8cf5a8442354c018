"""A record that is given up, as the dead letter that it becomes."""

import asyncio
from datetime import UTC, datetime, timedelta

from common.broker.dead_letters.letters import DeadLetter, Reason
from common.broker.engine.held import Held
from common.ids import Ulid


def dead_letter(
    held: Held, reason: Reason, *, tenant: Ulid | None, error: BaseException | None = None
) -> DeadLetter:
    """Make it now, of how the record failed so far; a suspended one need not have."""
    now = asyncio.get_running_loop().time()
    failing_for = timedelta(seconds=now - (held.failing_since or now))
    last_failed_at = datetime.now(UTC)
    return DeadLetter(
        record=held.delivery.record,
        record_id=held.delivery.record_id,
        tenant=tenant,
        reason=reason,
        error_class="" if error is None else type(error).__name__,
        detail="" if error is None else str(error),
        attempts=held.attempts,
        first_failed_at=last_failed_at - failing_for,
        last_failed_at=last_failed_at,
    )
