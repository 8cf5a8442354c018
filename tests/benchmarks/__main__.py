"""`make bench [BENCH=name]`: one benchmark, or all of them."""

import argparse

from tests.benchmarks import engine, gateway, jobs, memory, path

BENCHMARKS = {
    "engine": engine.main,
    "gateway": gateway.main,
    "jobs": jobs.main,
    "memory": memory.main,
    "path": path.main,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    for name in parser.parse_args().names or BENCHMARKS:
        print(f"\n{name}", flush=True)
        BENCHMARKS[name]()
