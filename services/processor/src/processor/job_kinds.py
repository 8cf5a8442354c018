"""What the processor does over time. A job's key names the rows it is about."""

TURN = "turn"
"""Key: the conversation. One answer to all that is unanswered."""
PUBLISH = "publish"
"""Key: an id of the broker's key. What the outbox holds of it, in sequence."""
TIMER = "timer"
"""Key: the conversation. What silence makes of it."""
RESUME = "resume"
"""Key: the tenant. The records that waited while it was suspended."""

ALL = (TURN, PUBLISH, TIMER, RESUME)
