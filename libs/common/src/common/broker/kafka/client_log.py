"""The log of aiokafka, which complains at each attempt: told once a minute for each kind.

One thing it says in passing, and it is the worst: that the broker deleted records nobody had read.
"""

import logging
import time

import structlog

log = structlog.get_logger()

_SILENCE_SECONDS = 60.0
_FETCHER = "aiokafka.consumer.fetcher"
_GONE = "Fetch offset %s is out of range"


class _OnceAMinute(logging.Handler):
    """Hands on the first complaint of a kind; one with a traceback, which nobody awaits, always."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            if record.msg.startswith(_GONE):
                log.error("records gone before they were read", said=record.getMessage())
            return
        now, kind = time.monotonic(), f"{record.name} {record.msg}"
        if not record.exc_info and now - self._told.get(kind, -_SILENCE_SECONDS) < _SILENCE_SECONDS:
            return
        self._told[kind] = now
        # what it calls an error is a broker that is away, of which who needs it tells by itself
        log.log(
            logging.ERROR if record.exc_info else logging.WARNING,
            "kafka client complained",
            said=record.getMessage(),
            exc_info=record.exc_info,
        )


def quiet_client() -> None:
    """Take over the client's log, for the whole process; doing it again changes nothing."""
    client = logging.getLogger("aiokafka")
    if not any(isinstance(handler, _OnceAMinute) for handler in client.handlers):
        client.addHandler(_OnceAMinute())
    client.propagate = False
    logging.getLogger(_FETCHER).setLevel(logging.INFO)
