"""A world in which the product is one process on SQLite."""

import os
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from recado.development import development_secrets
from tests.faults.outages import Outage, full, locked
from tests.faults.plans import Plan
from tests.faults.rows import Rows, sqlite_rows
from tests.faults.steps import Step
from tests.faults.victim import Orders
from tests.faults.work import Work, sqlite_work
from tests.faults.world import QUICK
from tests.servers.loopback import call, status_of
from tests.servers.processes import Server, free_ports

PRODUCT = "product"
LEASES = {
    "RECADO_DATABASE_BUSY_SECONDS": "1",
    "RECADO_JOBS_LEASE_SECONDS": "3",
    "RECADO_BROKER_LEASE_SECONDS": "3",
}


class OneProcess:
    """See `World`."""

    processes = (PRODUCT,)

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self._folder = folder
        self._exits = exits
        self._port, simulator_port = free_ports(2)
        self._simulator_url = f"http://127.0.0.1:{simulator_port}"
        self._environ = {"PATH": os.environ["PATH"], "RECADO_ENVIRONMENT": "development"}
        self._environ |= {**QUICK, **LEASES}
        self._disk_is_full = folder / "disk-is-full"
        self._product: Server | None = None
        self.outages = {
            Outage.DATABASE_LOCKED: partial(locked, folder / "recado.db"),
            Outage.BROKER_LOCKED: partial(locked, folder / "broker.db"),
            Outage.DISK_FULL: partial(full, self._disk_is_full),
        }
        development_secrets(folder)
        self._start_simulator(simulator_port)

    def start(self, step: Step | None, occasion: int) -> None:
        orders = Orders.to_die_at("sqlite", step, occasion) if step else Orders("sqlite")
        self._start_product(orders)

    def restart(self, process: str) -> None:
        del process
        if self._product is not None:
            self._product.end(signal.SIGKILL)
        self._start_product(Orders("sqlite"))

    def process_of(self, step: Step) -> str:
        del step
        return PRODUCT

    def exit_code(self, process: str) -> int | None:
        del process
        return self._product.exit_code if self._product else 0

    def say(self, contact: str, sender: str, text: str) -> None:
        message = {"from": contact, "to": sender, "text": text}
        call("POST", f"{self._simulator_url}/simulator/messages", message)

    def order_faults(self, plan: dict[str, Any]) -> None:
        call("PUT", f"{self._simulator_url}/simulator/faults", plan)

    def ledger(self) -> dict[str, Any]:
        return call("GET", f"{self._simulator_url}/simulator/ledger")

    def work(self) -> Work:
        return sqlite_work(self._folder)

    def rows(self) -> Rows:
        return sqlite_rows(self._folder / "recado.db")

    def logs(self) -> Mapping[str, str]:
        return {PRODUCT: (self._folder / f"{PRODUCT}.log").read_text()}

    def _start_product(self, orders: Orders) -> None:
        told = Orders(orders.transport, orders.step, orders.occasion, str(self._disk_is_full))
        arguments = ["dev", "--port", str(self._port), "--data", str(self._folder)]
        self._product = self._server(
            PRODUCT, [*told.command(), "recado", *arguments, "--simulator", self._simulator_url]
        )
        ready = f"http://127.0.0.1:{self._port}/readyz"
        self._product.wait_until(lambda: status_of(ready) == 200, seconds=60)

    def _start_simulator(self, port: int) -> None:
        self._environ |= {
            "RECADO_SIMULATOR_FILE": str(self._folder / "simulator.db"),
            "RECADO_SIMULATOR_PORT": str(port),
            "RECADO_HEALTH_PORT": "0",
        }
        simulator = self._server("simulator", ["simulator"])
        ready = f"{self._simulator_url}/simulator/senders"
        simulator.wait_until(lambda: status_of(ready) == 200, seconds=60)

    def _server(self, name: str, module: list[str]) -> Server:
        log = self._folder / f"{name}.log"
        server = Server([sys.executable, "-m", *module], log=log, environ=self._environ)
        self._exits.callback(server.end, signal.SIGKILL)
        return server


@contextmanager
def one_process(folder: Path, plan: Plan) -> Generator[OneProcess]:
    """Open a world in an empty folder, the same for all plans; both processes end with it."""
    del plan
    with ExitStack() as exits:
        yield OneProcess(folder, exits)
