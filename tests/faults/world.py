"""One run's world: a simulator that is never killed, and a product that is."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from tests.faults.outages import Outage
from tests.faults.rows import Rows
from tests.faults.steps import Step
from tests.faults.work import Work

# Everything that only waits is made short; nothing else differs from `make run`.
QUICK: Mapping[str, str] = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.1",
    "RECADO_JOBS_POLL_SECONDS": "0.1",
    "RECADO_NOTIFIER_CALL_SECONDS": "1",
    "RECADO_NOTIFIER_CONNECT_SECONDS": "0.5",
    "RECADO_NOTIFIER_RETRY_FIRST_SECONDS": "0.2",
    "RECADO_NOTIFIER_RECONCILE_FIRST_SECONDS": "1.5",
    "RECADO_NOTIFIER_RECONCILE_SECOND_SECONDS": "1",
    "RECADO_SIMULATOR_SENT_SECONDS": "0.1",
    "RECADO_SIMULATOR_DELIVERED_SECONDS": "0.2",
    "RECADO_SIMULATOR_READ_SECONDS": "0.3",
    "RECADO_LOG_FORMAT": "json",
}


class World(Protocol):
    """Starts, kills and questions the processes of one run, and takes away what they need."""

    @property
    def processes(self) -> Sequence[str]:
        """The names of those that may be killed."""
        ...

    @property
    def outages(self) -> Mapping[Outage, Callable[[], AbstractContextManager[None]]]: ...

    def start(self, step: Step | None, occasion: int) -> None:
        """Start the product, one of its processes armed to die at a step, and wait until ready.

        Raises `ServerFailedError` with its last words when it ends instead: no step comes earlier.
        """
        ...

    def restart(self, process: str) -> None:
        """Kill -9 what is left of it, and start it again at once, armed no more."""
        ...

    def process_of(self, step: Step) -> str: ...

    def exit_code(self, process: str) -> int | None:
        """None while it lives."""
        ...

    def say(self, contact: str, sender: str, text: str) -> None: ...

    def order_faults(self, plan: dict[str, Any]) -> None: ...

    def ledger(self) -> dict[str, Any]: ...

    def work(self) -> Work: ...

    def rows(self) -> Rows: ...

    def logs(self) -> Mapping[str, str]:
        """What each process said so far."""
        ...


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll; tell whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def fault_plan(chance: random.Random, *, rough: bool) -> dict[str, Any]:
    """What goes wrong at the provider in a run, besides the kill.

    A gentle provider took the one call that it does not answer, and all its callbacks come: no part
    is left to a person. A rough one may lose the same part twice, and then one is.
    """
    unanswered = ("timeout_after_accept", "500_after_accept")
    lost = {kind: {"rate": 0.04} for kind in (*unanswered, "reset")}
    create = lost if rough else {chance.choice(unanswered): {"next": 1}}
    return {
        "seed": chance.randrange(1 << 30),
        "create": {"429": {"rate": 0.04}, **create},
        "callbacks": {
            "duplicate": {"rate": 0.1},
            "reorder": {"rate": 0.1},
            "drop": {"rate": 0.1 if rough else 0},
        },
        "inbound": {"duplicate": {"rate": 0.1}},
        "hang_seconds": 3,
    }
