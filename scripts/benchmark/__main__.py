"""Runs the measurements that are asked for, all of them without a name, and prints one table."""

from __future__ import annotations

import argparse
import importlib
import sys

from scripts.benchmark.figure import table

PARTS = ("live",)  # modules of this package with measure(*, seconds) -> list[Figure]


def main() -> int:
    """1 when a figure misses its limit."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures and prints a table.")
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=300, help="length of the long measurements")
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures = []
    for name in options.parts or PARTS:
        part = importlib.import_module(f"scripts.benchmark.{name}")
        figures += part.measure(seconds=options.seconds)
    print(table(figures))
    return 0 if all(one.is_reached for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
