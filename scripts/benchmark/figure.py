"""One measured figure, and how a table of them is printed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its unit; `limit` is what it must not exceed, `reference` what it was measured against."""

    name: str
    value: float
    unit: str
    reference: str = ""
    limit: float | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the limit is kept; True without one."""
        return self.limit is None or self.value <= self.limit


def failed(name: str, error: Exception) -> Figure:
    """The figure of a part that could not be measured: never reached."""
    said = (str(error) or type(error).__name__).partition("\n")[0][:120]
    return Figure(name, math.nan, "", f"not measured: {said}", 0)


def value_text(one: Figure) -> str:
    """Value and unit."""
    return "-" if math.isnan(one.value) else f"{one.value:.3g} {one.unit}".strip()


def limit_text(one: Figure) -> str:
    """The limit; empty without one."""
    return "" if one.limit is None or math.isnan(one.value) else f"{one.limit:g}"


def verdict(one: Figure) -> str:
    """The word beside it; empty without a limit."""
    return "" if one.limit is None else ("reached" if one.is_reached else "MISSED")


def table(figures: Iterable[Figure]) -> str:
    """The figures as lines of text."""
    rows = [("figure", "measured", "limit", "", "how")]
    rows += [(one.name, value_text(one), limit_text(one), verdict(one), one.reference) for one in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
