"""One measured figure, and how a table of them is printed."""

from __future__ import annotations

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


def table(figures: Iterable[Figure]) -> str:
    """The figures as lines of text."""
    rows = [("figure", "measured", "limit", "", "how")]
    for one in figures:
        limit = "" if one.limit is None else f"{one.limit:g}"
        verdict = "" if one.limit is None else ("reached" if one.is_reached else "MISSED")
        rows.append((one.name, f"{one.value:.3g} {one.unit}", limit, verdict, one.reference))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
