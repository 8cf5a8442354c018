"""A reply is to be sent: keep it, in parts that the provider takes, and wake its sender's job."""

from functools import partial

import structlog

from common.database import Database, Transaction
from common.events import Event, SendMessage
from common.jobs import Jobs
from notifier.job_kinds import SENDER
from notifier.sends.repository import store_send
from notifier.sends.splitting import split

log = structlog.get_logger()


class AcceptSend:
    """Handles `SendMessage`. The same message again changes nothing, whatever it says."""

    def __init__(self, database: Database, jobs: Jobs, *, part_length: int) -> None:
        """Split after `part_length` UTF-16 units."""
        self._database = database
        self._jobs = jobs
        self._part_length = part_length

    async def __call__(self, event: Event[SendMessage]) -> None:
        """Return once the parts are durable and their sender's job is due."""
        texts = split(event.payload.text, self._part_length)
        store = partial(self._store, event=event, texts=texts)
        is_new = await self._database.transaction(store, tenant=event.tenant)
        log.info(
            "send accepted" if is_new else "send known",
            message_id=str(event.payload.message),
            parts=len(texts),
        )

    def _store(self, tx: Transaction, event: Event[SendMessage], texts: tuple[str, ...]) -> bool:
        wanted = event.payload
        self._jobs.schedule(tx, SENDER, wanted.sender, correlation=event.correlation)
        return store_send(
            tx,
            {
                "id": wanted.message,
                "channel": wanted.channel,
                "not_after": wanted.not_after,
                "correlation_id": event.correlation,
            },
            {
                "account": wanted.account,
                "sender": wanted.sender,
                "recipient": wanted.recipient,
            },
            texts,
        )
