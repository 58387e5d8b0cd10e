"""Which addresses are shut out for now, and which never are: our own networks, and those people sign in from.

Asked in front of every request: an answer costs a look into memory.
"""

from __future__ import annotations

import ipaddress
import time
from ipaddress import IPv4Address, IPv6Address

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.media.addresses import Networks
from cctv.models import Session, TrappedAddress

_KNOWN_DAYS = 7  # an address that somebody has signed in from is not shut out for so long
_REREAD_SECONDS = 5.0  # by each process


def place_of(text: str) -> str:
    """An address as it is counted: an IPv4 address, or the /64 that one IPv6 customer has; "" for neither."""
    address = _parse(text)
    if address is None:
        return ""
    if isinstance(address, IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def is_blocked(address: str) -> bool:
    """Whether the address is shut out now: a look into memory, with a query every few seconds at most."""
    blocked: _Blocked = current_app.extensions.setdefault("cctv.blocked", _Blocked())
    return blocked.holds(address)


def forget() -> None:
    """A block has come or gone: this process looks again at the next request, the others within seconds."""
    blocked = current_app.extensions.get("cctv.blocked")
    if blocked is not None:
        blocked.forget()


def protection(place: str) -> str:
    """Why an address is never shut out, as a sentence; empty when it may be."""
    address = _parse(place.partition("/")[0])
    if address is None:
        return "it is no address."
    own = Networks.parse(f"{config.current().tailscale_network},{config.current().camera_network}").allowed
    if not address.is_global or any(
        address in network for network in own if network.version == address.version
    ):
        return "it is of this machine, of this site or of the tailnet."
    if _is_signed_in_from(address):
        return f"somebody signed in from there within the last {_KNOWN_DAYS} days."
    return ""


def _is_signed_in_from(address: IPv4Address | IPv6Address) -> bool:
    """Whether a session of the last days is of that address' network: /24, or /64."""
    network = ipaddress.ip_network((address, 64 if address.version == 6 else 24), strict=False)
    since = now_ms() - _KNOWN_DAYS * 86_400_000
    known = db.session.scalars(select(Session.address).where(Session.seen_ms > since).distinct())
    return any(
        (one := _parse(text)) is not None and one.version == address.version and one in network
        for text in known
    )


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("/")[0].partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class _Blocked:
    """The blocked places, read again every few seconds; without the database the ones that were known."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}
        self._read_at = float("-inf")

    def holds(self, address: str) -> bool:
        if time.monotonic() - self._read_at > _REREAD_SECONDS:
            self._read_at = time.monotonic()  # first: of many requests at once one reads
            self._until = self._read()
        return bool(self._until) and self._until.get(place_of(address), 0) > now_ms()

    def forget(self) -> None:
        self._read_at = float("-inf")

    def _read(self) -> dict[str, int]:
        columns = (TrappedAddress.address, TrappedAddress.blocked_until_ms)
        query = select(*columns).where(
            TrappedAddress.blocked_until_ms > now_ms(), TrappedAddress.is_ours.is_(False)
        )
        try:
            return {row.address: row.blocked_until_ms for row in db.session.execute(query)}
        except SQLAlchemyError:
            return self._until
        finally:
            db.session.rollback()
