"""Keys derived from SECRET_KEY, one per purpose (HKDF, RFC 5869), and what is sealed with them.

Plain secrets pass through here on their way to and from the database; they are never logged and never kept.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app
from itsdangerous import URLSafeTimedSerializer

from cctv.errors import Unavailable


def derive(purpose: str) -> bytes:
    """32 bytes that only this installation and this purpose have."""
    secret = current_app.config["SECRET_KEY"].encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"cctv/{purpose}".encode()).derive(secret)


def encrypt(text: str) -> str:
    """Seal a camera credential for storage."""
    return _box().encrypt(text.encode()).decode()


def decrypt(sealed: str) -> str:
    """Open a stored credential.

    Raises:
        Unavailable: SECRET_KEY is not the one it was sealed with.
    """
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unavailable(
            "A stored password cannot be read: SECRET_KEY has changed. Enter it again."
        ) from None


def sign(purpose: str, payload: Any) -> str:
    """A URL-safe signed, time-stamped text of a JSON payload."""
    return str(_signer(purpose).dumps(payload))


def unsign(purpose: str, text: str, *, max_age_seconds: int) -> Any | None:
    """The payload of `sign`, or None when forged, for another purpose, or too old."""
    is_genuine, payload = _signer(purpose).loads_unsafe(text, max_age=max_age_seconds)
    return payload if is_genuine else None


def _box() -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(derive("camera-credentials")))])


def _signer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(derive(purpose), salt=purpose)
