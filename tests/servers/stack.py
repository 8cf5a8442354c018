"""Recado as separate processes: what `make run-kafka` starts, and what tests kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.database.migrations import upgrade
from recado.development import SENDERS, development_secrets
from recado.whereabouts import Whereabouts
from tests.servers.kafka import KafkaCluster
from tests.servers.loopback import call, status_of, what_is_missing
from tests.servers.postgres import PostgresDatabase
from tests.servers.processes import Server, ServerFailedError, free_ports

MODULES = {
    "simulator": ("simulator",),
    "gateway": ("gateway",),
    "processor": ("processor", "worker"),
    "notifier": ("notifier",),
}


@dataclass(frozen=True)
class Ports:
    """Where each process listens."""

    gateway: int
    simulator: int
    health: Mapping[str, int]

    @classmethod
    def of(cls, ports: Sequence[int]) -> "Ports":
        return cls(ports[0], ports[1], dict(zip(MODULES, ports[2:], strict=True)))

    @classmethod
    def free(cls) -> "Ports":
        return cls.of(free_ports(2 + len(MODULES)))

    @classmethod
    def after(cls, first: int) -> "Ports":
        return cls.of(range(first, first + 2 + len(MODULES)))


@dataclass(frozen=True)
class Addresses:
    """Where the servers are, and how serving processes and their owner log in."""

    broker_url: str
    database_url: str
    admin_url: str


class Stack:
    """The four services, each a process; starting one again is starting a new process."""

    def __init__(
        self,
        addresses: Addresses,
        data: Path,
        *,
        exits: ExitStack,
        ports: Ports,
        variables: Mapping[str, str],
    ) -> None:
        self.data = data
        self.secrets = development_secrets(data)
        self._exits = exits
        self._servers: dict[str, Server] = {}
        self._ports = ports
        self._admin_url = addresses.admin_url
        self._environ = _environ(addresses, self.whereabouts, ports) | dict(variables)

    @property
    def whereabouts(self) -> Whereabouts:
        gateway, simulator, health = (
            f"http://127.0.0.1:{port}"
            for port in (self._ports.gateway, self._ports.simulator, self._ports.health["gateway"])
        )
        return Whereabouts(gateway, simulator, self.data, self.secrets, health_url=health)

    def start_all(self, via: Mapping[str, Sequence[str]]) -> None:
        """Start every service and seed; they may not be ready yet."""
        at = self.whereabouts
        for name in MODULES:
            self.start(name, via.get(name, ()))
        self.wait_until_ready("simulator")
        self.operate("sample", at.url, at.simulator_url, "--data", str(self.data))

    def start(self, name: str, via: Sequence[str] = ()) -> None:
        """Start a service, or a module with arguments that runs the service's."""
        server = Server(
            [sys.executable, "-m", *via, *MODULES[name]],
            log=self.log(name),
            environ=self._environ | {"RECADO_HEALTH_PORT": str(self._ports.health[name])},
        )
        self._exits.callback(server.end, signal.SIGKILL)
        self._servers[name] = server

    def pid(self, name: str) -> int:
        return self._servers[name].pid

    def ended(self, name: str) -> bool:
        return self._servers[name].ended

    def exit_code(self, name: str) -> int | None:
        return self._servers[name].exit_code

    def wait_until_ready(self, name: str) -> None:
        self._servers[name].wait_until(lambda: self.readiness(name) == 200, seconds=60)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        self._servers[name].end(number)

    def log(self, name: str) -> Path:
        return self.data / f"{name}.log"

    def readiness(self, name: str) -> int | None:
        """The status of `/readyz`; None where nothing answers."""
        return status_of(f"http://127.0.0.1:{self._ports.health[name]}/readyz")

    def missing(self, name: str) -> dict[str, str] | None:
        """What `/readyz` says is missing, and why; None where nothing answers."""
        return what_is_missing(f"http://127.0.0.1:{self._ports.health[name]}")

    def operate(self, *arguments: str) -> str:
        """Run a verb of the `recado` command as the operator, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "recado", *arguments],
            env=self._environ | {"RECADO_DATABASE_ADMIN_URL": self._admin_url},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailedError(f"recado {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def say(self, text: str, *, contact: str, within: float = 30) -> tuple[str, ...]:
        """Write as a customer and return the reply's parts."""
        arguments = ["--data", str(self.data), "--from", contact, "--within", str(within)]
        return tuple(json.loads(self.operate("say", text, *arguments, "--json"))["replies"])

    def write(self, text: str, *, contact: str, sender: str = SENDERS[0]) -> None:
        """Write as a customer and wait for nothing."""
        message = {"from": contact, "to": sender, "text": text}
        call("POST", f"{self.whereabouts.simulator_url}/simulator/messages", message)

    def order_faults(self, **plan: object) -> None:
        """Tell the simulator what shall go wrong."""
        call("PUT", f"{self.whereabouts.simulator_url}/simulator/faults", plan)

    def ledger(self) -> dict[str, Any]:
        return call("GET", f"{self.whereabouts.simulator_url}/simulator/ledger")


async def prepare(database: PostgresDatabase, broker: KafkaCluster) -> Addresses:
    """Migrate an empty database as its owner, and make the login that services use."""
    await upgrade(database.admin_url, ("processor", "notifier"))
    serving = await database.add_serving_login()
    return Addresses(f"kafka://{broker.bootstrap}", serving, database.admin_url)


@contextmanager
def stack(
    addresses: Addresses,
    data: Path,
    *,
    ports: Ports | None = None,
    variables: Mapping[str, str] | None = None,
    via: Mapping[str, Sequence[str]] | None = None,
    wait: bool = True,
) -> Generator[Stack]:
    """All services up and seeded, and with `wait` ready; all gone at the end."""
    with ExitStack() as exits:
        opened = Stack(
            addresses, data, exits=exits, ports=ports or Ports.free(), variables=variables or {}
        )
        opened.start_all(via or {})
        for name in MODULES if wait else ():
            opened.wait_until_ready(name)
        yield opened


def _environ(addresses: Addresses, at: Whereabouts, ports: Ports) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": addresses.database_url,
        "RECADO_BROKER_URL": addresses.broker_url,
        "RECADO_SECRETS_ENCRYPTION_KEYS": f"development:{at.secrets.encryption_key}",
        "RECADO_GATEWAY_PUBLIC_URL": at.url,
        "RECADO_GATEWAY_HOST": "127.0.0.1",
        "RECADO_GATEWAY_PORT": str(ports.gateway),
        "RECADO_NOTIFIER_STATUS_CALLBACK_BASE": at.url,
        "RECADO_NOTIFIER_TWILIO_URL": at.simulator_url,
        "RECADO_SIMULATOR_FILE": str(at.data / "simulator.db"),
        "RECADO_SIMULATOR_PORT": str(ports.simulator),
    }
