"""A running Recado, in either shape, and a day of its life in a few seconds."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from common.broker.connect import open_transport
from common.events import MESSAGES_RECEIVED, Record
from common.settings import BrokerSettings
from common.testing import eventually
from recado.development import SENDERS
from tests.servers.loopback import call
from tests.servers.processes import Server
from tests.servers.stack import Addresses, Ports, stack

QUICK = {
    "RECADO_PROCESSOR_BURST_WINDOW_SECONDS": "0.1",
    "RECADO_NOTIFIER_RETRY_FIRST_SECONDS": "0.1",
    "RECADO_NOTIFIER_RECONCILE_FIRST_SECONDS": "0",
    "RECADO_NOTIFIER_RECONCILE_SECOND_SECONDS": "0.1",
}
UNREADABLE = Record(MESSAGES_RECEIVED.name, "nobody", (), b"\xff not JSON")


@dataclass(frozen=True)
class Place:
    """Where it is reached, and who is to be scraped."""

    gateway: str
    simulator: str
    webhook: str
    broker: str
    pages: tuple[str, ...]

    async def live(self, day: int) -> None:
        """Customers write, one of them leaves, and Twilio, a stranger and a record go wrong."""
        self.order({"500_before_accept": {"next": 1}, "429": {"next": 1}})
        for customer in range(3):
            self.write("Vocês abrem domingo?", customer=10 * day + customer)
        self.write("STOP", customer=10 * day + 9)
        self.forge()
        async with open_transport(BrokerSettings(url=self.broker)) as transport:
            await transport.publish(UNREADABLE)
        await eventually(lambda: len(self.delivered()) == 3 * (day + 1), within=60)

    def write(self, text: str, *, customer: int) -> None:
        contact = f"whatsapp:+55119999{customer:05}"
        message = {"from": contact, "to": SENDERS[0], "text": text}
        call("POST", f"{self.simulator}/simulator/messages", message)

    def order(self, faults: dict[str, Any]) -> None:
        """Have the next calls that send something go wrong."""
        plan = {"create": faults, "retry_after_seconds": 0}
        call("PUT", f"{self.simulator}/simulator/faults", plan)

    def forge(self) -> None:
        """Post a webhook that Twilio did not sign."""
        forged = urllib.request.Request(self.webhook, data=b"Body=oi")  # noqa: S310 - loopback
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(forged, timeout=5)  # noqa: S310

    def scrape(self) -> str:
        """What the first of the processes shows to Prometheus."""
        with urllib.request.urlopen(f"http://{self.pages[0]}/metrics", timeout=5) as page:
            return page.read().decode()

    def delivered(self) -> set[str]:
        """The parts that Twilio took."""
        creates = call("GET", f"{self.simulator}/simulator/ledger")["creates"]
        return {each["part"] for each in creates if each["message_sid"]}


@contextmanager
def one_process(data: Path) -> Generator[Place]:
    """Everything in one process on SQLite."""
    command = [sys.executable, "-m", "recado", "dev", "--port", "0", "--data", str(data)]
    server = Server(command, log=data.with_suffix(".log"), environ=dict(os.environ) | QUICK)
    try:
        server.wait_until((data / "dev.json").exists, seconds=60)
        place = _place(data, broker=f"sqlite:///{data}/broker.db", pages=())
        yield replace(place, pages=(place.gateway.removeprefix("http://"),))
    finally:
        server.end(signal.SIGKILL)


@contextmanager
def separate_processes(addresses: Addresses, data: Path) -> Generator[Place]:
    """Each service a process, on Kafka and Postgres."""
    ports = Ports.free()
    pages = [f"127.0.0.1:{port}" for name, port in ports.health.items() if name != "simulator"]
    with stack(addresses, data, ports=ports, variables=QUICK):
        yield _place(data, broker=addresses.broker_url, pages=pages)


def _place(data: Path, *, broker: str, pages: Sequence[str]) -> Place:
    facts: dict[str, str] = json.loads((data / "dev.json").read_text())
    return Place(
        facts["gateway_url"],
        facts["simulator_url"],
        facts["webhook_messages_url"],
        broker,
        tuple(pages),
    )
