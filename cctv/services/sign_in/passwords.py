"""How good a password is, in words for the person who is typing it.

Says nothing about whether it is accepted: that is users.password_problem. Keeps nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from cctv.services.person import users

# Guessing entropy by length and variety; a rough measure is enough to tell "aaaa1111aaaa" from a sentence.
_GOOD_BITS, _STRONG_BITS = 55, 75
_FULL_BITS = 90


@dataclass(frozen=True, slots=True)
class Strength:
    """What to show beside the field: level is bad | warn | ok, percent the length of the bar."""

    level: str
    words: str
    percent: int


def strength(password: str, *, name: str = "", email: str = "") -> Strength:
    """Judge a password; one that would be refused says why."""
    if not password:
        return Strength("bad", f"At least {users.SHORTEST_PASSWORD} characters. A short sentence is best.", 0)
    bits = _bits(password)
    percent = min(100, round(100 * bits / _FULL_BITS))
    if problem := users.password_problem(password, name=name, email=email):
        return Strength("bad", problem, min(percent, 30))
    if bits < _GOOD_BITS:
        return Strength("warn", "Fair: longer is better than stranger.", percent)
    if bits < _STRONG_BITS:
        return Strength("ok", "Good.", percent)
    return Strength("ok", "Strong.", percent)


def _bits(password: str) -> float:
    """Characters that repeat or count up add little."""
    fresh = sum(0.25 if ord(here) - ord(before) in (-1, 0, 1) else 1.0 for before, here in pairwise(password))
    return (1 + fresh) * math.log2(max(2, len(set(password.lower())) * 2))
