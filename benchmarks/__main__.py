"""`python -m benchmarks [NAME ...] [--runs N] [--small]`: measure, and print one table per benchmark as Markdown."""

import argparse
import sys
from importlib import import_module

from benchmarks import machine

NAMES = (
    "commit_to_event",
    "rollout_100",
    "validate",
    "decide",
    "monorepo",
    "agents",
    "agent_events",
    "aws",
    "watch",
    "webhooks",
    "state",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"which ones: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--runs", type=int, help="rounds of every case (default: each benchmark's own)")
    parser.add_argument("--small", action="store_true", help="tiny sizes: does it work at all?")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print(machine.described(), flush=True)
    for name in given.names or NAMES:
        benchmark = import_module(f"benchmarks.{name}")
        runs = given.runs or (1 if given.small else benchmark.RUNS)
        print(f"\n{benchmark.measure(runs, small=given.small)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
