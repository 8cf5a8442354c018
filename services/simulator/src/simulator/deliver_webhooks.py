"""Let what is due come true, and tell of it by webhook: the simulator's work in the background."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import aclosing

from simulator.bell import Bell
from simulator.deliveries import (
    Attempt,
    Delivery,
    due_deliveries,
    finish,
    next_due_at,
    record_attempt,
)
from simulator.faults import CallbackFault
from simulator.ledger import Ledger
from simulator.messages import find_message, set_status, touch
from simulator.senders import auth_token_of
from simulator.statuses import advances
from simulator.webhooks import Webhook, Webhooks

_AT_ONCE = 100
_GRACE_SECONDS = 2.0


class DeliverWebhooks:
    """Deliver what the ledger holds until told to stop.

    Webhooks of one message follow each other; those of different messages do not wait. What a kill
    or the stop interrupts stays in the ledger and is posted again, with the same token, at the
    next start.
    """

    def __init__(
        self, ledger: Ledger, webhooks: Webhooks, bell: Bell, *, clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._webhooks = webhooks
        self._bell = bell
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Return soon after `stop`; requests under way get a moment to end."""
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._ring_at(stop))
            with self._bell.listen() as rung:
                while not stop.is_set():
                    rung.clear()
                    pause = await self._start_due(group)
                    await _wait(rung, pause)
            self._bell.close()
            if self._running:
                await asyncio.wait(self._running.values(), timeout=_GRACE_SECONDS)
            for task in (*self._running.values(), watcher):
                task.cancel()

    async def _ring_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._bell.ring()

    async def _start_due(self, group: asyncio.TaskGroup) -> float | None:
        """Start what is due and free to start; say in how many seconds the next is due."""
        now = self._clock()
        due, next_at = await self._ledger.read(
            lambda tx: (due_deliveries(tx, now=now, limit=2 * _AT_ONCE), next_due_at(tx, now=now))
        )
        for delivery in due:
            if delivery.message_sid not in self._running and len(self._running) < _AT_ONCE:
                task = group.create_task(self._deliver(delivery))
                self._running[delivery.message_sid] = task
                task.add_done_callback(lambda _, sid=delivery.message_sid: self._ended(sid))
        return None if next_at is None else next_at - now

    def _ended(self, message_sid: str) -> None:
        del self._running[message_sid]
        self._bell.ring()

    async def _deliver(self, delivery: Delivery) -> None:
        webhook = await self._ledger.transaction(lambda tx: self._come_true(tx, delivery))
        self._bell.ring()
        last: Attempt | None = None
        if webhook is not None:
            async with aclosing(self._webhooks.post(webhook)) as attempts:
                async for last in attempts:
                    await self._record(delivery, last)
        await self._ledger.transaction(lambda tx: self._finish(tx, delivery, last))

    def _come_true(self, tx: sqlite3.Connection, delivery: Delivery) -> Webhook | None:
        message = find_message(tx, delivery.message_sid)
        if message is None:
            raise LookupError(delivery.message_sid)
        if delivery.kind == "status" and advances(message.status, delivery.status):
            set_status(
                tx,
                message.sid,
                delivery.status,
                error_code=delivery.error_code,
                now=self._clock(),
            )
        if delivery.url is None or delivery.fault == CallbackFault.DROP:
            return None
        return Webhook(
            url=delivery.url,
            form=delivery.form,
            auth_token=auth_token_of(tx, message.account_sid),
            token=delivery.token,
        )

    async def _record(self, delivery: Delivery, attempt: Attempt) -> None:
        def work(tx: sqlite3.Connection) -> None:
            record_attempt(tx, delivery.id, attempt)
            self._show(tx, delivery)

        await self._ledger.transaction(work)
        self._bell.ring()

    def _finish(self, tx: sqlite3.Connection, delivery: Delivery, last: Attempt | None) -> None:
        finish(tx, delivery.id, last, now=self._clock())
        self._show(tx, delivery)

    def _show(self, tx: sqlite3.Connection, delivery: Delivery) -> None:
        if delivery.kind == "inbound":
            touch(tx, delivery.message_sid)


async def _wait(rung: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return  # something became due
