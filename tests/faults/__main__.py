"""`make faults`: run after run, a line each, and the sum as the last line."""

import argparse
import sys

from tests.faults.judge import Verdict
from tests.faults.plans import plans
from tests.faults.run import Run, not_reached, run_all
from tests.faults.sites import site
from tests.faults.steps import STEPS
from tests.servers.processes import ending_on_sigterm


def main() -> int:
    """Exit 1 unless every run was clean, and there was one."""
    arguments = _arguments()
    todo = plans(arguments.transport, arguments.runs, arguments.seed)
    ended: list[Run] = []
    with ending_on_sigterm(), site(arguments.transport) as place:
        for run in run_all(todo, place):
            print(run, flush=True)
            if run.last_words:
                print(run.last_words, file=sys.stderr)
            ended.append(run)
    for name in not_reached(ended, arguments.transport):
        print(f"not reached: {name}")
    total = sum((run.verdict for run in ended), start=Verdict())
    print(f"runs={arguments.runs} {total} seed={arguments.seed}")
    return 1 if not total.accepted or any(run.broken for run in ended) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=sorted(STEPS), default="sqlite")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
