"""Runs the measurements that are asked for, all of them without a name, and prints one table."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

from scripts.benchmark import report
from scripts.benchmark.figure import Figure, failed, table

# Modules with measure(*, seconds) -> list[Figure].
PARTS = (
    "capture",
    "loss",
    "interruptions",
    "power",
    "timeline",
    "playback",
    "live",
    "people",
    "api",
    "export",
    "verify",
    "transfer",
    "activity",
    "retention",
)
LONG_SECONDS, QUICK_SECONDS = 300.0, 30.0


def main() -> int:
    """1 when a figure misses its limit or could not be measured."""
    options = _parse()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    figures: list[Figure] = []
    for name in options.parts or PARTS:
        began, waited = time.monotonic(), _waited_seconds()
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += _measure(name, seconds)
        elapsed = time.monotonic() - began
        busy = (_waited_seconds() - waited) / elapsed
        print(f"    {elapsed:.0f} s; programs waited for a processor {busy:.0%} of it", file=sys.stderr)
    print(table(figures))
    if options.write:
        print(f"Written to {report.write(figures)}.")
    return 0 if all(one.is_reached for one in figures) else 1


def _waited_seconds() -> float:
    """How long, in all, some program of the machine has waited for a processor (accounting/psi.rst of Linux).

    Where that is most of the time, figures by the clock say little.
    """
    try:
        first = Path("/proc/pressure/cpu").read_text().split("\n", 1)[0]
    except OSError:
        return 0.0
    return int(first.rpartition("total=")[2]) / 1e6


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures and prints a table.")
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)}; all by default")
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="the same as naming it")
    parser.add_argument(
        "--seconds", type=float, default=LONG_SECONDS, help="length of the long measurements (%(default)g)"
    )
    parser.add_argument("--quick", action="store_true", help=f"--seconds {QUICK_SECONDS:g}: short forms")
    parser.add_argument("--write", action="store_true", help="write the table to docs/figures.md, too")
    options = parser.parse_args()
    options.parts += options.only
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.write and (options.quick or options.parts):
        parser.error("--write needs all parts at full length")
    return options


def _measure(name: str, seconds: float) -> list[Figure]:
    """A part that breaks is told in the table; the others are still measured."""
    try:
        figures: list[Figure] = importlib.import_module(f"scripts.benchmark.{name}").measure(seconds=seconds)
    except Exception as error:
        traceback.print_exc()
        return [failed(name, error)]
    return figures


if __name__ == "__main__":
    sys.exit(main())
