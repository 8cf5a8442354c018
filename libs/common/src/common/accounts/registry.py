"""Channel accounts by id, from memory where it can: a webhook must not wait for the database.

What strangers ask is bounded: of ids that nobody has only a few are looked up at once and a small
number is remembered, for `patience` seconds; and no account is read more than once in that time.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import RowMapping, func, literal, select

from common.accounts.channel_account import ChannelAccount, account_of
from common.accounts.cipher import SecretCipher
from common.accounts.models import CHANNEL_ACCOUNTS as _TABLE
from common.database import Database, Transaction, UlidColumn, ask_nothing
from common.errors import DependencyDown
from common.ids import Ulid

T = TypeVar("T")

_UNKNOWN_KEPT = 1_024
_UNKNOWN_AT_ONCE = 4
_PAUSE_AFTER_FAILURE = 5  # times `patience`


@dataclass(slots=True)
class _Entry:
    account: ChannelAccount | None
    good_until: float
    next_read: float


class AccountRegistry:
    """Reads channel accounts through the database's door and keeps them for `ttl` seconds.

    While the database is away, or silent for `patience` seconds, what was read before stays good as
    long as that lasts; with nothing read before, both reads raise `DependencyDown`. They raise
    `PermanentError` where the account's secrets do not open.
    """

    def __init__(
        self,
        database: Database,
        cipher: SecretCipher,
        *,
        ttl: float = 60.0,
        patience: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty; all times are seconds."""
        self._database = database
        self._cipher = cipher
        self._ttl = ttl
        self._patience = patience
        self._clock = clock
        self._known: dict[Ulid, _Entry] = {}
        self._unknown: OrderedDict[Ulid, _Entry] = OrderedDict()
        self._reading: dict[Ulid, asyncio.Task[ChannelAccount | None]] = {}
        self._turns_of_unknown = asyncio.Semaphore(_UNKNOWN_AT_ONCE)

    async def find(self, account: Ulid) -> ChannelAccount | None:
        """Return the account, at most `ttl` old while the database answers; None if unknown."""
        entry = self._known.get(account)
        if entry is not None and self._clock() < entry.good_until:
            return entry.account
        return await self.refresh(account)

    async def refresh(self, account: Ulid) -> ChannelAccount | None:
        """Return the account as the database has it now, or had it less than `patience` ago."""
        entry = self._known.get(account) or self._unknown.get(account)
        if entry is not None and self._clock() < entry.next_read:
            return entry.account
        try:
            return await self._read_once(account)
        except DependencyDown:
            if (known := self._known.get(account)) is None:
                raise
            known.next_read = self._clock() + self._patience * _PAUSE_AFTER_FAILURE
            return known.account

    async def check(self) -> None:
        """Raise `DependencyDown` when the database is away and no account is in memory."""
        if not self._known:
            await self._in_time(self._database.read(ask_nothing))

    async def _read_once(self, account: Ulid) -> ChannelAccount | None:
        reading = self._reading.get(account)
        if reading is None:
            reading = asyncio.create_task(self._in_time(self._read(account)))
            self._reading[account] = reading
            reading.add_done_callback(partial(self._finished, account))
        return await asyncio.shield(reading)  # whoever gives up waiting leaves it to the others

    def _finished(self, account: Ulid, reading: asyncio.Task[ChannelAccount | None]) -> None:
        del self._reading[account]
        if not reading.cancelled():
            reading.exception()  # marks it as seen: those who waited were told, if any still did

    async def _read(self, account: Ulid) -> ChannelAccount | None:
        async with nullcontext() if account in self._known else self._turns_of_unknown:
            found = await self._fetch(account)
        now = self._clock()
        entry = _Entry(found, now + self._ttl, now + self._patience)
        if found is None:
            self._known.pop(account, None)
            self._remember_unknown(account, entry)
        else:
            self._unknown.pop(account, None)
            self._known[account] = entry
        return found

    async def _fetch(self, account: Ulid) -> ChannelAccount | None:
        tenant = await self._database.read(partial(_tenant_of, account=account))
        if tenant is None:
            return None
        row = await self._database.read(partial(_row_of, account=account), tenant=tenant)
        return None if row is None else account_of(row, self._cipher)

    def _remember_unknown(self, account: Ulid, entry: _Entry) -> None:
        self._unknown[account] = entry
        self._unknown.move_to_end(account)
        if len(self._unknown) > _UNKNOWN_KEPT:
            self._unknown.popitem(last=False)

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._patience):
                return await answer
        except TimeoutError as error:
            raise DependencyDown("database", f"no answer in {self._patience} s") from error


def _tenant_of(tx: Transaction, account: Ulid) -> Ulid | None:
    if tx.dialect == "postgresql":
        wanted = literal(account, UlidColumn)
        door = select(func.account_tenant(wanted, type_=UlidColumn))
    else:
        door = select(_TABLE.c.tenant_id).where(_TABLE.c.id == account)
    return tx.execute(door).scalar_one_or_none()


def _row_of(tx: Transaction, account: Ulid) -> RowMapping | None:
    row = select(_TABLE).where(_TABLE.c.tenant_id == tx.tenant, _TABLE.c.id == account)
    return tx.execute(row).mappings().one_or_none()
