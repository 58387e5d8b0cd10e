"""Which characters no text of a person holds: zero bytes, other control characters, halves of characters.

Asked at the doors, of every field of every form and of the API, and wherever a text is decoded once more.
"""

from __future__ import annotations

import re

# Tabs and line ends are for texts of several lines. Half of a character is a lone surrogate of UTF-16; no
# database keeps one, and PostgreSQL no zero byte.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
UNFIT = "This text holds a character that cannot be stored. Type it by hand instead of pasting it."


def is_unfit(text: str) -> bool:
    """Whether the text holds a character that is refused everywhere."""
    return _UNFIT.search(text) is not None
