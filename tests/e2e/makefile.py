"""What a target of the Makefile runs, without running it."""

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_would_run(target: str, **variables: object) -> list[str]:
    """The target's own command, the last of those that make prints with `-n`."""
    given = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target, *given],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=True,
    )
    program, *arguments = shlex.split(done.stdout.splitlines()[-1])
    return [str(ROOT / program), *arguments]
