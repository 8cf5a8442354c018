"""Programs that run no longer than the process that started them."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.05
LAST_WORDS = 3000
PORTS = (10_000, 32_000)


class ServerMissingError(RuntimeError):
    """A program that a server needs is not on this machine; the sentence says what to run."""


class ServerFailedError(RuntimeError):
    """A program failed, ended or was not ready in time; carries what it said last."""


def command_as(user: str | None, command: Sequence[str]) -> list[str]:
    """Run as `user` where we are root, since Postgres refuses to run as root."""
    if user is None or os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]


def run(command: Sequence[str], *, user: str | None = None) -> None:
    """Run to the end without input; show what it said only in the error of a failure."""
    done = subprocess.run(
        command_as(user, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerFailedError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")


class Server:
    """One started program.

    The kernel kills it should this process die, even by `kill -9`. It has a session of its own,
    so that Ctrl-C on the terminal reaches the tests, which then stop it in their order.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        user: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        tied_to_us = command_as(user, ["setpriv", "--pdeathsig=KILL", *command])
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                tied_to_us,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environ,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Poll `ready`; raise `ServerFailedError` when the program ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.ended:
                raise ServerFailedError(self._sentence("ended"))
            if time.monotonic() > deadline:
                raise ServerFailedError(self._sentence(f"was not ready after {seconds:.0f} s"))
            time.sleep(POLL_SECONDS)

    def end(self, number: signal.Signals, *, seconds: float = 20) -> None:
        """Ask with a signal; kill what has not ended in time. Harmless when it has ended."""
        self.send(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _sentence(self, what: str) -> str:
        words = self._log.read_text(errors="replace")[-LAST_WORDS:]
        return f"{self._log.stem} {what}; its log ends:\n{words}"


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listened on a moment ago, all different.

    None is of those that the system gives to outgoing connections: a server that was stopped finds
    its port free when it is started again.
    """
    with ExitStack() as stack:
        return [_bind_some(stack) for _ in range(count)]


def _bind_some(stack: ExitStack) -> int:
    while True:
        one = stack.enter_context(socket.socket())
        port = random.randrange(*PORTS)
        with suppress(OSError):  # taken: try another
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def ending_on_sigterm() -> Generator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that servers and folders are removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
