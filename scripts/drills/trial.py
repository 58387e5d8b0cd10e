"""One drill's verdict while it is made: figures, requirements and what of them was not met.

Only words and numbers; what is measured, and how, is the drills' own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cctv.clock import now_ms
from tests.waiting import wait_until


@dataclass
class Trial:
    """Filled by a drill. `is_long`: with the outages of the fault table; else their short form."""

    name: str
    rows: str
    is_long: bool
    fault: str = ""
    required: str = ""
    lost: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    began_ms: int = field(default_factory=now_ms)
    damaged_until_ms: int = 0  # the camera itself sent nothing that decodes until then

    def pick(self, short: float, long: float) -> float:
        """The figure of this form."""
        return long if self.is_long else short

    def require(self, is_met: bool, text: str) -> None:
        """Note what was demanded and not met."""
        if not is_met:
            self.failures.append(text)

    def within(self, what: str, limit_s: float, predicate: Callable[[], Any], *, patience_s: float) -> float:
        """Wait for something and demand that it came within `limit_s`; seconds it took."""
        began = time.monotonic()
        try:
            wait_until(predicate, patience_s, what, every_seconds=0.1)
        except AssertionError as error:
            self.failures.append(str(error))
        took = time.monotonic() - began
        self.healed.append(f"{what} after {took:.1f} s")
        self.require(took <= limit_s, f"{what} took {took:.1f} s, at most {limit_s:g} s are allowed")
        return took

    def block(self) -> str:
        """What a person reads."""
        lines = [
            f"row {self.rows}  {self.name}  ({time.monotonic() - self.began:.0f} s)",
            f"  fault     {self.fault}",
            f"  lost      {'; '.join(self.lost) or 'nothing'}",
            f"  healed    {'; '.join(self.healed) or '-'}",
            f"  required  {self.required}",
        ]
        if self.seen:
            lines.append(f"  seen      {'; '.join(self.seen)}")
        lines.append(f"  verdict   {'NOT MET' if self.failures else 'met'}")
        return "\n".join(lines + [f"            {text}" for text in self.failures])
