"""The page that checks an evidence package in a browser, offline: one static HTML file, always the same.

Put together from the files in cctv/evidence_page; it must never need another file, a server or a network.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "evidence_page"
_SCRIPTS = ("hashes.js", "signatures.js", "files.js", "judge.js", "page.js")


@cache
def page() -> bytes:
    """The whole page."""
    script = "\n".join(_read(name) for name in _SCRIPTS)
    text = _read("page.html").replace("/* style */", _read("page.css")).replace("/* script */", script)
    return text.encode()


def fingerprint() -> str:
    """SHA-256 of the page in hex: who has it from elsewhere can tell that a package brings the true one."""
    return hashlib.sha256(page()).hexdigest()


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
