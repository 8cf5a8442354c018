"""`python -m tests.faults.victim ORDERS MODULE ARGUMENTS…`: a module of ours, armed.

It may die at a step, and its SQLite files may be full whenever a flag says so.
"""

import runpy
import sys
from dataclasses import asdict, dataclass
from json import dumps, loads
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from tests.faults.steps import STEPS, Step, arm

_PAGES = 2**32 - 2


@dataclass(frozen=True, slots=True)
class Orders:
    """What shall befall the process."""

    transport: str
    step: int | None = None
    """Its place among the steps of the transport; None: it dies nowhere by itself."""
    occasion: int = 1
    full_flag: str | None = None
    """While this file is there, no SQLite file grows."""

    @classmethod
    def to_die_at(cls, transport: str, step: Step, occasion: int) -> "Orders":
        return cls(transport, STEPS[transport].index(step), occasion)

    def command(self) -> tuple[str, str]:
        """What stands between `python -m` and the module that is run."""
        return "tests.faults.victim", dumps(asdict(self))

    def carry_out(self) -> None:
        if self.step is not None:
            arm(STEPS[self.transport][self.step], self.occasion)
        if self.full_flag is not None:
            _fill_while(Path(self.full_flag))


def _fill_while(flag: Path) -> None:
    """Let SQLite itself say that the disk is full: it asks for its limit before a file grows."""

    @event.listens_for(Engine, "begin")
    def _limit(connection: Connection) -> None:
        pages = 1 if flag.exists() else _PAGES
        connection.exec_driver_sql(f"pragma max_page_count = {pages}")


if __name__ == "__main__":
    Orders(**loads(sys.argv[1])).carry_out()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
