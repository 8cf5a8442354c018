"""Whatever happens in whatever order: nothing is forgotten, nothing is held by two."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from common.database import Transaction
from common.ids import Ulid, new_id
from common.jobs import Job, LeaseLostError
from tests.unit.common.jobs.simulated import LEASE, PER_TENANT, SimulatedDatabase, at_once

TENANTS = [new_id() for _ in range(2)]
KEYS = ["c1", "c2", "c3", "c4"]
# The clock moves by whole seconds and everything else by halves: no two times are the same.
DELAYS = st.sampled_from([0.0, 3.5, 20.5])


@dataclass
class Key:
    """What is owed to one tenant and key."""

    owed_from: float | None = None
    """When it should run next."""
    rests: bool = False
    """It failed, and new work does not hurry it."""
    failed: bool = False
    token: int | None = None
    lease_until: float = 0.0

    @property
    def exists(self) -> bool:
        return self.owed_from is not None or self.failed or self.token is not None

    def ask(self, time: float) -> None:
        if self.rests and self.token is None:
            return
        self.owed_from = time if self.owed_from is None else min(self.owed_from, time)

    def release(self) -> None:
        self.token, self.rests = None, False


class JobsMachine(RuleBasedStateMachine):
    """Three processes do what they may at any time, stopped ones with leases long lost too."""

    def __init__(self) -> None:
        super().__init__()
        self.database = SimulatedDatabase()
        self.processes = [self.database.process() for _ in range(3)]
        self.keys = {(tenant, key): Key() for tenant in TENANTS for key in KEYS}
        self.claims: list[Job] = []

    def teardown(self) -> None:
        self.database.dispose()

    @rule(tenant=st.sampled_from(TENANTS), key=st.sampled_from(KEYS), due_in=DELAYS)
    def schedule(self, tenant: Ulid, key: str, due_in: float) -> None:
        self._write(
            tenant,
            lambda tx: self.processes[0].schedule(tx, "turn", key, due_in=_seconds(due_in)),
        )

        state = self.keys[tenant, key]
        state.failed = False
        state.ask(self.now + due_in)

    @rule(process=st.integers(0, 2), limit=st.sampled_from([1, 3, 100]))
    def claim(self, process: int, limit: int) -> None:
        self._lose_what_lapsed()
        due = {name for name, state in self.keys.items() if self._is_due(state)}
        room = Counter(dict.fromkeys(TENANTS, PER_TENANT)) - self._running()
        waiting = Counter(tenant for tenant, _ in due)

        jobs = at_once(self.processes[process].claim({"turn": limit}))

        taken = {(job.tenant, job.key) for job in jobs}
        assert taken <= due, "one was taken that another holds, or that is not due"
        assert len(jobs) == len(taken) == min(limit, (room & waiting).total())
        for job in jobs:
            assert all(job.token > earlier.token for earlier in self.claims), "a token came back"
            self.keys[job.tenant, job.key] = Key(token=job.token, lease_until=self.now + LEASE)
        self.claims += jobs

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), ending=st.sampled_from(["done", "again", "fail", "rest", "return"]))
    def end(self, data: st.DataObject, ending: str) -> None:
        job = data.draw(st.sampled_from(self.claims))
        state = self.keys[job.tenant, job.key]
        if state.token != job.token:
            with pytest.raises(LeaseLostError):
                self._end(job, ending)
            return

        self._end(job, ending)

        state.release()
        match ending:
            case "again":
                state.ask(self.now + 3.5)
            case "fail":
                state.failed = state.owed_from is None
            case "rest":
                state.owed_from, state.rests = self.now + 3.5, True
            case "return":
                state.owed_from = self.now
            case _:
                pass

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.claims))

        at_once(self.processes[0].renew([job]))

        state = self.keys[job.tenant, job.key]
        if state.token == job.token:
            state.lease_until = self.now + LEASE

    @rule(seconds=st.integers(1, 30))
    def let_time_pass(self, seconds: int) -> None:
        self.database.seconds += seconds

    @invariant()
    def what_is_owed_is_in_the_table_and_nothing_else(self) -> None:
        owed = {
            (tenant.to_uuid().hex, key)
            for (tenant, key), state in self.keys.items()
            if state.exists
        }
        assert self.database.rows() == owed

    @invariant()
    def no_tenant_runs_more_than_its_share(self) -> None:
        assert all(running <= PER_TENANT for running in self._running().values())

    @property
    def now(self) -> float:
        return self.database.seconds

    def _is_due(self, state: Key) -> bool:
        owed_from = None if state.token is not None else state.owed_from
        return owed_from is not None and owed_from <= self.now

    def _running(self) -> Counter[Ulid]:
        return Counter(
            tenant for (tenant, _), state in self.keys.items() if state.token is not None
        )

    def _lose_what_lapsed(self) -> None:
        for state in self.keys.values():
            if state.token is not None and state.lease_until < self.now:
                state.release()
                state.ask(self.now)

    def _end(self, job: Job, ending: str) -> None:
        jobs = self.processes[0]
        match ending:
            case "done":
                self._write(job.tenant, lambda tx: jobs.done(tx, job))
            case "again":
                self._write(job.tenant, lambda tx: jobs.again(tx, job, due_in=_seconds(3.5)))
            case "fail":
                at_once(jobs.fail(job, "a fault"))
            case _:
                delay = _seconds(3.5 if ending == "rest" else 0)
                at_once(jobs.back_off(job, delay=delay, counted=ending == "rest"))

    def _write(self, tenant: Ulid, work: Callable[[Transaction], None]) -> None:
        at_once(self.database.transaction(work, tenant=tenant))


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


TestJobs = JobsMachine.TestCase
TestJobs.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
