"""The installation's Ed25519 key, with which heads of chains and evidence packages are signed.

The private half lies in DATA_DIR, readable by us alone, and never leaves this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cctv import config
from cctv.errors import Unavailable
from cctv.services.site import settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature with the key that made it, all in hex."""

    signature: str
    public_key: str
    key_id: str


def sign(text: bytes) -> Signed:
    """Sign with the key of this machine, which is made at the first need.

    Raises:
        Unavailable: the key cannot be read.
    """
    key = _own_key()
    public = key.public_key().public_bytes_raw().hex()
    _announce(public)
    return Signed(key.sign(text).hex(), public, key_id(public))


def is_genuine(text: bytes, signature: str, public_key: str) -> bool:
    """Whether the holder of a key (both in hex) signed this text."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public_key: str) -> str:
    """The name of a key: the first hex digits of the SHA-256 of its public half."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def spell(name: str) -> str:
    """A key's name as people compare it: groups of four."""
    return " ".join(name[at : at + 4] for at in range(0, len(name), 4))


def public_key() -> str:
    """The public half of this machine's key, in hex.

    Raises:
        Unavailable: the key cannot be read.
    """
    return _own_key().public_key().public_bytes_raw().hex()


def known_keys() -> dict[str, str]:
    """Public keys (hex) by name: this machine's, and what other machines of the installation announced.

    The announcements are in the database: whoever can write there could add one, but not sign as we do.
    """
    known: dict[str, str] = dict(settings.get("evidence_keys"))
    own = public_key()
    return {name: key for name, key in known.items() if key_id(key) == name} | {key_id(own): own}


def path() -> Path:
    """Where the private half lies; it belongs into the backup, and nowhere else."""
    return config.current().data_dir / "evidence_key.pem"


def _own_key() -> Ed25519PrivateKey:
    with contextlib.suppress(FileNotFoundError):
        return _load()
    _make()
    return _load()


def _load() -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path().read_bytes(), password=None)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Unavailable(f"The key that signs evidence cannot be read: {path()} ({error}).") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Unavailable(f"The key that signs evidence is of another kind: {path()}.")
    return key


def _make() -> None:
    """Whole or not at all, and never over another one: two processes may need it at the same time."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    fresh = path().with_name(f".evidence_key.{secrets.token_hex(4)}")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, pem)
        os.fsync(file)
    finally:
        os.close(file)
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path())
        _log.info("made the key that signs evidence: %s", path())
    fresh.unlink()


def _announce(public: str) -> None:
    known = dict(settings.get("evidence_keys"))
    if known.get(key_id(public)) != public:
        settings.save(evidence_keys={**known, key_id(public): public})
