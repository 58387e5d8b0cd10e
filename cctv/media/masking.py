"""Hides credentials in any text before it is logged, stored or shown.
It must never need to know where the text came from, and never let a known secret through in any spelling.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

MASKED = "***"

# rtsp://user:password@host - up to the last @ before a blank, because raw passwords may hold anything else.
_LOGIN_IN_LINK = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s:@/'\"<>]*)(?::([^\s'\"<>]*))?@(?=[^\s@]+)")
_ENCODED_LINK = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*%3a%2f%2f)([^\s:@/'\"<>&]*?)%3a([^\s'\"<>&]*)%40")
_HEADER = re.compile(
    r"(?im)\b((?:proxy-)?authorization|www-authenticate|cookie|set-cookie)(\s*[:=]\s*)([^\r\n]*)"
)
_SCHEME = re.compile(r"(?i)\b(basic|bearer)(\s+)([a-z0-9+/_.~-]{6,}=*)")
_FIELD = re.compile(
    r"(?i)\b(password|passwd|passwort|pwd|pass|secret|token|api_?key)(\"?\s*[=:]\s*\"?)([^\s&\"',;]+)"
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without credentials: in links (plain and percent-encoded), Authorization headers, password
    fields, and wherever one of the `secrets` stands in plain, percent-encoded, escaped or Basic form."""
    for spelling in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(spelling, MASKED)
    text = _HEADER.sub(rf"\1\2{MASKED}", text)
    text = _SCHEME.sub(rf"\1\2{MASKED}", text)
    text = _LOGIN_IN_LINK.sub(_mask_login, text)
    text = _ENCODED_LINK.sub(rf"\1\2%3A{MASKED}%40", text)
    return _FIELD.sub(rf"\1\2{MASKED}", text)


def _mask_login(match: re.Match[str]) -> str:
    scheme, username, password = match[1], match[2], match[3]
    return f"{scheme}{username}:{MASKED}@" if password is not None else f"{scheme}{username}@"


def _spellings(secrets: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for secret in secrets:
        if not secret:
            continue
        encoded = {quote(secret, safe=safe) for safe in ("", "/", "!$&'()*+,;=:@/")} | {quote_plus(secret)}
        found |= {secret, *encoded, *map(_lower_hex, encoded)}
        found |= {quote(spelling, safe="") for spelling in encoded}
        found |= {escape(secret), json.dumps(secret)[1:-1], secret.replace("'", r"'\''")}
        found.add("".join(f"%{byte:02X}" for byte in secret.encode()))
        found.add("".join(f"%{byte:02x}" for byte in secret.encode()))
        found.add(base64.b64encode(secret.encode()).decode())
    return {spelling for spelling in found if spelling}


def _lower_hex(encoded: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
