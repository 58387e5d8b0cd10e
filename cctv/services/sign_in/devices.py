"""A browser's or app's own words about itself, shortened to what a person recognises: "Firefox on Windows".

Only for reading: nothing is decided by it, everybody may claim anything.
"""

from __future__ import annotations

import re

LONGEST = 120
# The first that fits names it: Edge and Opera call themselves Chrome as well, and Chrome calls itself Safari.
_BROWSERS = (
    ("Edg(?:e|A|iOS)?/", "Edge"),
    ("OPR/|Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/|FxiOS/", "Firefox"),
    ("CriOS/|Chrom(?:e|ium)/", "Chrome"),
    ("Version/[0-9.]+.*Safari/|iPhone|iPad", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X|Macintosh", "macOS"),
    ("Linux|X11", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z][\w .-]{0,39}(?=/\d|$)")


def describe(user_agent: str | None) -> str:
    """ "Chrome on Android", the name of a program ("curl"), or "Unknown device"; printable ASCII only."""
    text = re.sub(r"[^ -~]", "", (user_agent or ""))[:500]
    browser = _first(_BROWSERS, text)
    system = _first(_SYSTEMS, text)
    if browser and system:
        return f"{browser} on {system}"
    program = _PRODUCT.match(text)
    if program and program[0] != "Mozilla":
        return f"{program[0]} on {system}" if system else program[0]
    return browser or system or "Unknown device"


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in table if re.search(pattern, text)), "")
