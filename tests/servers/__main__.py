"""`python -m tests.servers install | services | run [-- COMMAND...]`."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from tests.servers import kafka, postgres, stack
from tests.servers.install import install
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresServer
from tests.servers.processes import ServerFailedError, ServerMissingError, ending_on_sigterm


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.verb == "install":
            install()
            return 0
        if arguments.verb == "services":
            return run_services(arguments.data, arguments.port)
        return run(arguments.command)
    except (ServerMissingError, ServerFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run(command: Sequence[str]) -> int:
    """Keep Postgres and Kafka up while `command` runs, or until Ctrl-C if there is none."""
    with ending_on_sigterm(), postgres.postgres(fsync=False) as database, kafka.kafka() as broker:
        addresses = {postgres.ADDRESS: database.admin_url, kafka.ADDRESS: broker.bootstrap}
        for name, address in addresses.items():
            print(f"{name}={address}", flush=True)
        if command:
            return _run_with(command, addresses)
        _wait_for_ctrl_c()
        return 0


def run_services(data: Path, port: int) -> int:
    """Keep Recado up as separate processes on Kafka and Postgres, until Ctrl-C."""
    with ending_on_sigterm(), postgres.postgres() as server, kafka.kafka() as broker:
        addresses = asyncio.run(_prepare(server, broker))
        ports = stack.Ports.after(port)
        with stack.stack(addresses, data, ports=ports) as services:
            print(services.whereabouts.sentences())
            print(f"Logs in {data}; Postgres and Kafka forget everything at the end.", flush=True)
            _wait_for_ctrl_c()
    return 0


async def _prepare(server: PostgresServer, broker: KafkaCluster) -> stack.Addresses:
    return await stack.prepare(await server.create_database(), broker)


def _wait_for_ctrl_c() -> None:
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()


def _run_with(command: Sequence[str], addresses: Mapping[str, str]) -> int:
    """Give the command's exit code, or 128 and the signal that ended it, as a shell does."""
    with subprocess.Popen(command, env={**os.environ, **addresses}) as child:

        def pass_on(number: int, _frame: FrameType | None) -> None:
            child.send_signal(number)

        signal.signal(signal.SIGTERM, pass_on)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child by itself
        code = child.wait()
    return code if code >= 0 else 128 - code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install", help="install what the servers need and this machine lacks")
    running = verbs.add_parser("run", help="run a command beside Postgres and Kafka")
    running.add_argument("command", nargs="*", help="addresses are in its environment")
    services = verbs.add_parser("services", help="run Recado beside Postgres and Kafka")
    services.add_argument("--data", type=Path, default=Path("var/kafka"))
    services.add_argument("--port", type=int, default=8080, help="the first of six")
    return parser


if __name__ == "__main__":
    sys.exit(main())
