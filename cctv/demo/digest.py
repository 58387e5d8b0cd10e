"""Digest authentication as cameras do it: MD5 without qop, Basic refused (RFC 2617 3.2, RFC 2326 D.1).
It guards nothing of value: the pictures are a test card, and the password is printed in the documentation."""

from __future__ import annotations

import hashlib
import re

REALM = "camera"

_PAIR = re.compile(r'(\w+)="?([^",]*)"?')


def challenge(nonce: str) -> str:
    """The value of WWW-Authenticate."""
    return f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5'


def response(user: str, password: str, *, method: str, uri: str, nonce: str) -> str:
    """What a client that knows the password answers to the challenge."""
    secret = _md5(f"{user}:{REALM}:{password}")
    return _md5(f"{secret}:{nonce}:{_md5(f'{method}:{uri}')}")


def is_right(authorization: str, method: str, nonce: str, *, user: str, password: str) -> bool:
    """Whether the Authorization header answers our challenge for this user and password."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "digest":
        return False
    said = dict(_PAIR.findall(rest))
    expected = response(user, password, method=method, uri=said.get("uri", ""), nonce=nonce)
    return (said.get("username"), said.get("nonce"), said.get("response")) == (user, nonce, expected)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
