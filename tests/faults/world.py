"""One run's world: a simulator that is never killed, and a product that is."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from recado.development import development_secrets
from tests.faults.steps import STEPS, Step
from tests.servers.loopback import call, status_of
from tests.servers.processes import Server, free_ports

# Everything that only waits is made short; nothing else differs from `make run`.
QUICK = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.1",
    "RECADO_DATABASE_BUSY_SECONDS": "1",
    "RECADO_JOBS_LEASE_SECONDS": "3",
    "RECADO_JOBS_POLL_SECONDS": "0.1",
    "RECADO_BROKER_LEASE_SECONDS": "3",
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


class World:
    """Starts, kills and questions the processes of one run."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._port, simulator_port = free_ports(2)
        self._simulator_url = f"http://127.0.0.1:{simulator_port}"
        self._environ = {"PATH": os.environ["PATH"], "RECADO_ENVIRONMENT": "development"} | QUICK
        development_secrets(folder)
        self._start_simulator(simulator_port)
        self.product: Server | None = None

    @property
    def database(self) -> Path:
        return self.folder / "recado.db"

    def start_product(self, step: Step | None = None, occasion: int = 1) -> None:
        """Start it, armed to die at a step or not, and wait until it is ready.

        Raises `ServerFailedError` with its last words when it ends instead: no step comes earlier.
        """
        armed = (
            ["tests.faults.victim", str(STEPS.index(step)), str(occasion)] if step else ["recado"]
        )
        arguments = ["dev", "--port", str(self._port), "--data", str(self.folder)]
        self.product = self._server(
            "product",
            [sys.executable, "-m", *armed, *arguments, "--simulator", self._simulator_url],
        )
        url = f"http://127.0.0.1:{self._port}/readyz"
        self.product.wait_until(lambda: status_of(url) == 200, seconds=60)

    def product_is_dead(self) -> bool:
        return self.product is None or self.product.ended

    def product_was_killed(self) -> bool:
        """Whether it is dead by `kill -9`: it ends itself by nothing else that nobody can catch."""
        return self.product is not None and self.product.exit_code == -signal.SIGKILL

    def kill_product(self) -> None:
        if self.product is not None:
            self.product.end(signal.SIGKILL)

    def say(self, contact: str, sender: str, text: str) -> None:
        call(
            "POST",
            f"{self._simulator_url}/simulator/messages",
            {"from": contact, "to": sender, "text": text},
        )

    def order_faults(self, plan: dict[str, Any]) -> None:
        call("PUT", f"{self._simulator_url}/simulator/faults", plan)

    def ledger(self) -> dict[str, Any]:
        return call("GET", f"{self._simulator_url}/simulator/ledger")

    def wait_until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Poll; tell whether it came true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _start_simulator(self, port: int) -> None:
        self._environ |= {
            "RECADO_SIMULATOR_FILE": str(self.folder / "simulator.db"),
            "RECADO_SIMULATOR_PORT": str(port),
            "RECADO_HEALTH_PORT": "0",
        }
        simulator = self._server("simulator", [sys.executable, "-m", "simulator"])
        ready = f"{self._simulator_url}/simulator/senders"
        simulator.wait_until(lambda: status_of(ready) == 200, seconds=60)

    def _server(self, name: str, command: list[str]) -> Server:
        server = Server(command, log=self.folder / f"{name}.log", environ=self._environ)
        self._stack.callback(server.end, signal.SIGKILL)
        return server


@contextmanager
def world(folder: Path) -> Generator[World]:
    """Open a world in an empty folder; both processes are gone at the end."""
    with ExitStack() as stack:
        yield World(folder, stack)


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
