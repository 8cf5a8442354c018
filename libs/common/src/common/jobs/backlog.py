"""How much work waits, as metrics: what no claim tells, since nobody may be there to claim."""

import asyncio

from common.errors import DependencyDown
from common.jobs.outages import Outages, Waiter
from common.jobs.store import Jobs
from common.observability.metrics import Metrics

_PAUSE = 15.0  # seconds, as often as a metric is read
_WHO: Waiter = ("jobs", "backlog")


class BacklogGauges:
    """Tells how many jobs of each kind are due or failed, and since when the first is due.

    Every process of a service tells the same of all its jobs, those that it does not run included.
    """

    def __init__(self, jobs: Jobs, metrics: Metrics, outages: Outages) -> None:
        """Know where to count and where to tell it."""
        self._jobs = jobs
        self._metrics = metrics
        self._outages = outages

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            try:
                await self._tell()
            except DependencyDown as error:
                self._outages.failed(_WHO, error)
            else:
                self._outages.worked(_WHO)
            await asyncio.sleep(_PAUSE)

    async def _tell(self) -> None:
        for kind, due, overdue, failed in await self._jobs.backlog():
            labels = (self._jobs.service, kind)
            self._metrics.jobs_due.labels(*labels).set(due)
            self._metrics.jobs_overdue_seconds.labels(*labels).set(overdue)
            self._metrics.jobs_failed.labels(*labels).set(failed)
