"""What can be wrong with a stored file, in words. The codes stand in the column `damage` of its row.

Words only; finding it out belongs to capture, to verification and to the scrub.
"""

from __future__ import annotations

# Code -> what a person reads after "the file ...". The first two were so when the file was closed.
WORDS = {
    "torn": "has an end that cannot be shown",
    "transit": "has pictures that were damaged on the way from the camera",
    "missing": "is missing",
    "truncated": "is shorter than it was",
    "changed": "was changed",
    "structure": "has a damaged structure",
    "unreadable": "cannot be read",
}
SINCE_STORED = frozenset(WORDS) - {"torn", "transit"}  # the disk or a person did it; told as an event


def words(code: str) -> str:
    """The words of a code; also of one that only an older or newer version knows."""
    return WORDS.get(code, "is damaged")
