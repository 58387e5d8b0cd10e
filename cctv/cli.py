"""The command line: `flask ...` on the same services as the pages.

Prints sentences, or JSON with `--json`; no rule lives here.
"""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the commands to `flask`."""
