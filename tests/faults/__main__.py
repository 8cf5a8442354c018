"""`make faults`: run after run, a line each, and the sum as the last line."""

import argparse
import sys

from tests.faults.judge import Verdict
from tests.faults.run import plans, run_all


def main() -> int:
    """Exit 1 unless every verdict is clean."""
    arguments = _arguments()
    total = Verdict()
    for plan, verdict, last_words in run_all(plans(arguments.runs, arguments.seed)):
        print(f"{plan}: {verdict}", flush=True)
        if last_words:
            print(last_words, file=sys.stderr)
        total += verdict
    print(f"runs={arguments.runs} {total} seed={arguments.seed}")
    return 1 if total.broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=["sqlite"], default="sqlite")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
