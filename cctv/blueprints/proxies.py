"""Who a client is when a server stands in front of us: headers are believed from TRUSTED_PROXIES alone.

Anybody can send such a header, so from everybody else it is taken away before anything reads it.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from flask import Flask

from cctv import config

_Networks = tuple[IPv4Network | IPv6Network, ...]
_FOR, _PROTO = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"
# What says where a request comes from or leads; nothing but this module reads the two above.
_TOLD = (
    _FOR,
    _PROTO,
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_REAL_IP",
)
_LONGEST = 50  # hops that are looked at
_log = logging.getLogger(__name__)


def register_proxies(app: Flask) -> None:
    """In front of the application, so that every reader of an address sees the true one."""
    with app.app_context():
        trusted = config.current().trusted_proxies
    app.wsgi_app = Proxies(app.wsgi_app, trusted)  # type: ignore[method-assign]


class Proxies:
    """The application, whose requests come from where they really come."""

    def __init__(self, inner: Any, trusted: _Networks) -> None:
        self._inner = inner
        self._trusted = trusted
        self._is_warned = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI. The server's own lines of access show the address that is put in here."""
        told = {name: environ.pop(name) for name in _TOLD if name in environ}
        if told:
            sender = environ.get("REMOTE_ADDR", "")
            if _is_of(_parse(sender), self._trusted):
                environ["REMOTE_ADDR"] = true_address(sender, told.get(_FOR, ""), self._trusted)
                proto = told.get(_PROTO, "").rpartition(",")[2].strip().lower()
                if proto in ("http", "https"):
                    environ["wsgi.url_scheme"] = proto
            elif _FOR in told:
                self._warn(sender)
        inner: Iterable[bytes] = self._inner(environ, start_response)
        return inner

    def _warn(self, sender: str) -> None:
        """Once a process, and only of a neighbour: strangers send such headers as they like."""
        address = _parse(sender)
        if not self._is_warned and address is not None and not address.is_global:
            self._is_warned = True
            _log.warning(
                "%s sends X-Forwarded-For and is not in TRUSTED_PROXIES: all of its clients count as one",
                sender,
            )


def true_address(sender: str, forwarded_for: str, trusted: _Networks) -> str:
    """The first address, from our end of the list, that is not a trusted proxy.

    Each proxy adds at the end whom it speaks to; what stands further left was said by a stranger.
    """
    found = sender
    for part in reversed(forwarded_for.split(",")[-_LONGEST:]):
        address = _parse(part.strip())
        if address is None:
            break  # the proxy does not know, or nobody vouches for it: as far as is known
        found = str(address)
        if not _is_of(address, trusted):
            break
    return found


def _is_of(address: IPv4Address | IPv6Address | None, networks: _Networks) -> bool:
    return address is not None and any(
        address in network for network in networks if network.version == address.version
    )


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: also in brackets, and with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
