"""Writes the measured figures to docs/figures.md with the machine and the day; measures nothing."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.benchmark.figure import Figure, limit_text, value_text, verdict

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "figures.md"


def write(figures: Iterable[Figure]) -> Path:
    """Replace the page; returns where it is."""
    rows = [
        f"| {one.name} | {value_text(one)} | {limit_text(one)} | {verdict(one)} | {one.reference} |"
        for one in figures
    ]
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [
        "# Measured figures",
        "",
        f"`scripts/bench --write`, {today}: {_machine()}.",
        "",
        "Each is measured against a limit or against a reference of the same run; CPU is in milliseconds per "
        "second of a camera or viewer.",
        "",
        "| what | measured | reach | | how |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    PATH.write_text("\n".join(lines))
    return PATH


def _machine() -> str:
    done = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True)
    ffmpeg = " ".join(done.stdout.split()[:3])
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = f"{os.cpu_count()} cores ({model})"
    return f"{cores}, Linux {platform.release()}, Python {platform.python_version()}, {ffmpeg}"
