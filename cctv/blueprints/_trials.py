"""The steps of a test button - mail, bucket, disk - as rows that appear one by one.

What is tested, and what came of it, is said by services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Trial(Protocol):
    """A test as services tell it."""

    @property
    def steps(self) -> list[dict[str, str]]:
        """Those that are over: step, state, text."""

    @property
    def is_over(self) -> bool:
        """Whether no further one comes."""


def rows(trial: Trial, labels: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(state, label, sentence) of every step: done, the one that is under way, and those to come.

    `labels`: what each step is called, in the order of the steps.
    """
    done = {step["step"]: step for step in trial.steps}
    found: list[tuple[str, str, str]] = []
    is_next = not trial.is_over
    for name, label in labels.items():
        if name in done:
            found.append((done[name]["state"], label, done[name]["text"]))
        elif is_next:
            found.append(("connecting", label, ""))
            is_next = False
        elif not trial.is_over:
            found.append(("unknown", label, ""))
    return found
