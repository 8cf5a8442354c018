"""`make faults`: run after run, a line each, and the sum as the last line."""

import argparse
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.faults.judge import Verdict
from tests.faults.run import Plan, run_once
from tests.faults.steps import STEPS


def plans(runs: int, seed: int) -> list[Plan]:
    """Alternate between the listed steps, in an order of the seed's, and random moments."""
    chance = random.Random(seed)
    steps = chance.sample(STEPS, k=len(STEPS))
    return [
        Plan(
            seed=seed * 1000 + number, step=None if number % 3 == 2 else steps[number % len(steps)]
        )
        for number in range(runs)
    ]


def main() -> int:
    """Exit 1 unless every verdict is clean."""
    arguments = _arguments()
    total = Verdict()
    with ThreadPoolExecutor(max_workers=2) as two_cores:
        todo = plans(arguments.runs, arguments.seed)
        for plan, (verdict, last_words) in zip(todo, two_cores.map(run_once, todo), strict=True):
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
