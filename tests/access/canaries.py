"""Looks for secrets in text and bytes, in every spelling that a program may give them.

Knows nothing of where to look.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


class Canaries:
    """Secrets by what they are."""

    def __init__(self) -> None:
        self._spellings: dict[str, set[bytes]] = {}

    def add(self, name: str, secret: str) -> str:
        """One more, which is returned."""
        assert len(secret) >= 6, f"{name} would be found by chance"
        self._spellings[name] = set(spelled(secret))
        return secret

    def found_in(self, content: bytes | str) -> list[str]:
        """What of them is in it."""
        looked_at = content.encode(errors="replace") if isinstance(content, str) else content
        return [
            name
            for name, spellings in self._spellings.items()
            if any(_is_in(spelling, looked_at) for spelling in spellings)
        ]

    def __len__(self) -> int:
        return len(self._spellings)


def _is_in(spelling: bytes, content: bytes) -> bool:
    # A hundred times as fast as one pattern for all of them.
    if spelling not in content:
        return False
    # Of digits alone: not as a part of a longer number, which is some moment or size.
    return not spelling.isdigit() or re.search(rb"(?<!\d)%s(?!\d)" % spelling, content) is not None


def spelled(secret: str) -> Iterator[bytes]:
    """As it is, and as addresses, pages, JSON and headers write it."""
    in_address = quote(secret, safe="")
    plain = [secret, in_address, quote(secret), quote_plus(secret), html.escape(secret)]
    plain += [json.dumps(secret)[1:-1], repr(secret)[1:-1]]
    plain.append(re.sub("%..", lambda part: part[0].lower(), in_address))
    for text in plain:
        yield text.encode()
    for before in ("", "a", "aa"):  # base64 knows three beginnings; its first and last signs mix with others
        whole = base64.b64encode(f"{before}{secret}".encode())
        inner = whole[4 if before else 0 : -4]
        if len(inner) >= 8:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
    yield secret.encode().hex().encode()
