"""What an operator does about records that were given up, through the office of each service."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from prometheus_client import CollectorRegistry

from common.broker.connect import open_transport
from common.broker.dead_letters.halts import Halt
from common.broker.dead_letters.letters import DeadLetter, Reason, StoredLetter
from common.broker.dead_letters.office import DeadLetterOffice, Wanted
from common.broker.publisher import Publisher
from common.database import Database, Transaction
from common.errors import DependencyDown, PermanentError, StartError
from common.ids import Ulid
from common.jobs import Jobs
from common.observability.metrics import Metrics
from notifier import job_kinds as notifiers
from processor import job_kinds as processors
from processor.find_tenant import FindTenant
from recado.owner_database import owner_database
from recado.settings import OperatorSettings

SERVICES = ("processor", "notifier")
_RESUME = {"processor": processors.RESUME, "notifier": notifiers.RESUME}


@dataclass(frozen=True, slots=True)
class Found:
    """A dead letter, and the office that has it."""

    office: DeadLetterOffice
    stored: StoredLetter

    @property
    def name(self) -> str:
        """What an operator calls it by."""
        return f"{self.office.service}/{self.stored.seq}"

    @property
    def letter(self) -> DeadLetter:
        """What it says."""
        return self.stored.letter


@dataclass(frozen=True, slots=True)
class Selection:
    """The dead letters that an operator means."""

    wanted: Wanted
    services: Sequence[str] = SERVICES


@dataclass(slots=True)
class Tally:
    """What became of the letters that were selected."""

    done: list[str] = field(default_factory=list[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Those that were left as they are, and why."""
    more: bool = False
    """Others match too, past the limit."""


class DeadLetterDesk:
    """The dead letters and halts of all services, for one operator; `opened` makes one."""

    def __init__(self, settings: OperatorSettings, database: Database, operator: str) -> None:
        """Act as `operator`, whose name stays with what is done."""
        self._settings = settings
        self._database = database
        self._offices = {
            service: DeadLetterOffice(service, database, operator=operator) for service in SERVICES
        }

    async def find(self, selection: Selection) -> tuple[list[Found], bool]:
        """Return the letters, and whether others match too, past the limit.

        Raises `StartError` for a tenant that there is not.
        """
        wanted = selection.wanted
        if wanted.tenant is not None:
            await self._refuse_unknown(wanted.tenant)
        one_more = replace(wanted, limit=wanted.limit + 1)
        found = [
            Found(self._offices[service], stored)
            for service in selection.services
            for stored in await self._offices[service].find(one_more)
        ]
        return found[: wanted.limit], len(found) > wanted.limit

    async def replay(
        self, selection: Selection, *, cap: int | None, rate: float, dry_run: bool
    ) -> Tally:
        """Replay them in sequence, at most `rate` a second; `cap` bounds how often in all.

        Raises `StartError` when the broker goes away meanwhile, and says how many were replayed.
        """
        found, more = await self.find(selection)
        refusals = {each.name: _refusal(each.letter, cap) for each in found}
        due = [each for each in found if refusals[each.name] is None]
        tally = Tally(refused={name: why for name, why in refusals.items() if why}, more=more)
        if dry_run:
            tally.done = [each.name for each in due]
            return tally
        async with open_transport(self._settings.broker) as transport:
            publisher = Publisher(transport, Metrics(CollectorRegistry()))
            for number, each in enumerate(due):
                await asyncio.sleep(1 / rate if number else 0)
                await _replay(each, publisher, tally, of=len(due))
        return tally

    async def discard(self, selection: Selection, *, several: bool, dry_run: bool) -> Tally:
        """Discard them for good; more than one only where `several` says that they are meant."""
        found, more = await self.find(selection)
        tally = Tally(more=more)
        if len(found) > 1 and not several and not dry_run:
            raise StartError(f"This discards {len(found)} dead letters for good: add --yes.")
        for each in found:
            if not dry_run:
                await each.office.discard(each.stored)
            tally.done.append(each.name)
        return tally

    async def halts(self) -> list[tuple[str, Halt]]:
        """Return what stands still, by service."""
        return [
            (service, halt)
            for service, office in self._offices.items()
            for halt in await office.halts()
        ]

    async def resume_tenant(self, tenant: Ulid, services: Sequence[str]) -> list[str]:
        """Have a tenant's waiting records handled; return the services where it was suspended."""
        await self._refuse_unknown(tenant)
        return [
            service
            for service in services
            if await self._offices[service].resume(tenant, self._schedule(service, tenant))
        ]

    async def resume_consumer(self, services: Sequence[str]) -> list[str]:
        """Let consumers go on; return those that were halted."""
        return [service for service in services if await self._offices[service].resume_consumer()]

    def _schedule(self, service: str, tenant: Ulid) -> Callable[[Transaction], None]:
        kind, at = _RESUME[service], self._settings.jobs
        lease = timedelta(seconds=at.lease_seconds)
        jobs = Jobs(service, self._database, (kind,), lease=lease, per_tenant=at.per_tenant)
        return lambda tx: jobs.schedule(tx, kind, str(tenant))

    async def _refuse_unknown(self, tenant: Ulid) -> None:
        if not await FindTenant(self._database)(tenant):
            raise StartError(f"There is no tenant {tenant}.")


@asynccontextmanager
async def opened(settings: OperatorSettings, operator: str) -> AsyncGenerator[DeadLetterDesk]:
    """Open the desk, on the database as its owner."""
    async with owner_database(settings) as database:
        yield DeadLetterDesk(settings, database, operator)


def _refusal(letter: DeadLetter, cap: int | None) -> str | None:
    if letter.reason is Reason.SUSPENDED:
        return "it waits for its tenant to be resumed"
    if cap is not None and letter.replays >= cap:
        return f"it was replayed {letter.replays} times already; --again replays it all the same"
    return None


async def _replay(found: Found, publisher: Publisher, tally: Tally, *, of: int) -> None:
    try:
        await found.office.replay(found.stored, publisher)
    except PermanentError as error:
        tally.refused[found.name] = str(error)
    except DependencyDown as error:
        done = len(tally.done)
        raise StartError(
            f"{error}. {done} of {of} were replayed; the others are dead letters still."
        ) from error
    else:
        tally.done.append(found.name)
