"""The list of drills: name, row of the fault table, what each needs on the stage.

Drills register themselves here when their module is imported; nothing here starts anything.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.drills.trial import Trial

MODULES = ("camera", "process", "nodes", "redis", "database", "disk", "trouble", "power", "clock", "start")


@dataclass(frozen=True)
class Needs:
    """What the stage must have before the drill begins."""

    database: str = "any"  # sqlite, postgresql or any
    volume: str = "folder"  # of the footage: folder, or a small file system: tmpfs, ext4, thin
    power: bool = False  # everything on one image of a disk that can be cut off
    faketime: bool = False  # the clock of all parts can be set
    is_shared: bool = True  # by one drill after the other
    parts: tuple[str, ...] = ("web", "capture", "jobs-default", "jobs-media", "scheduler")


@dataclass(frozen=True)
class Drill:
    """One drill. `run(stage, trial)` harms, waits and judges."""

    name: str
    rows: str
    text: str
    required: str
    run: Callable[[Any, Trial], None]
    needs: Needs = field(default_factory=Needs)


DRILLS: dict[str, Drill] = {}


def drill(
    name: str, rows: str, text: str, required: str, **needs: Any
) -> Callable[[Callable[[Any, Trial], None]], Callable[[Any, Trial], None]]:
    """Register a function as a drill."""

    def register(run: Callable[[Any, Trial], None]) -> Callable[[Any, Trial], None]:
        DRILLS[name] = Drill(name, rows, text, required, run, Needs(**needs))
        return run

    return register


def load() -> dict[str, Drill]:
    """Every drill by name, in the order of the modules."""
    for module in MODULES:
        importlib.import_module(f"scripts.drills.{module}")
    return DRILLS
