"""CPU time and memory of processes, and which core they may use."""

import os
from pathlib import Path

_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_bytes(pid: int) -> int:
    """How much memory a process has now, shared libraries included."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * _PAGE


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core, where the machine has several."""
    if (os.cpu_count() or 1) > core:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
