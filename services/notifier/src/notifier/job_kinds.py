"""What the notifier does over time. A job's key names the rows it is about."""

from typing import Final

SENDER: Final = "sender"
"""Key: the sender's address. Everything that waits for it."""
RECONCILE: Final = "reconcile"
"""Key: the part. What became of a send of unknown outcome."""
PUBLISH: Final = "publish"
"""Key: an id of the broker's key. What the outbox holds of it, in sequence."""
RESUME: Final = "resume"
"""Key: the tenant. The records that waited while it was suspended."""

ALL: Final = (SENDER, RECONCILE, PUBLISH, RESUME)
