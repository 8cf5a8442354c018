"""The three ways work can fail, and the one way a process can refuse to start.

A handler that raises has one of three outcomes, everywhere: `PermanentError` is given up at once,
`DependencyDown` pauses the consumer and counts no attempt, any other exception is retried within
its budget.
"""


class PermanentError(Exception):
    """Trying again cannot help: the record becomes a dead letter, the job a failed job."""


class DependencyDown(Exception):  # noqa: N818 - a state of the world, not a mistake
    """A database or a broker is away or cannot take work now; nothing is wrong with the work."""

    def __init__(self, dependency: str, cause: str) -> None:
        """Name the dependency ("postgres", "kafka") and what it said, in a few words."""
        super().__init__(f"{dependency} is away: {cause}")
        self.dependency = dependency
        self.cause = cause


class RetryAfter(Exception):  # noqa: N818 - what to do, not what was wrong
    """Trying again makes sense in so many seconds; otherwise a failure like any other."""

    def __init__(self, cause: str, seconds: float) -> None:
        """Say what went wrong, in a few words, and how long to wait."""
        super().__init__(cause)
        self.seconds = seconds


class StartError(Exception):
    """The process cannot start; the message is a sentence that tells a person what to do."""
