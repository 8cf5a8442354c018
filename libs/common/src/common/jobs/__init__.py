"""Jobs: what a service does over time, as rows of its own database.

A use case schedules a job inside the transaction that makes it necessary (`Jobs.schedule`). A
`JobRunner` claims it when it is due, in this process or in another, and its handler ends it inside
its own last transaction (`Jobs.done`, `Jobs.again`), which is rolled back where the lease was lost.
"""

from common.jobs.attempt import JobHandler
from common.jobs.job import Job, LeaseLostError, Outcome
from common.jobs.runner import JobRunner
from common.jobs.store import GivenUp, Jobs

__all__ = ["GivenUp", "Job", "JobHandler", "JobRunner", "Jobs", "LeaseLostError", "Outcome"]
